"""Who is shut out by whom, and the names and keys by which a disk knows its owners."""

from hypothesis import given
from hypothesis import strategies as st

from packages.core.fencing import (
    DiskGuard, Registrant, initiator_name, lun_of, outlived, own_earlier, registrant,
    registrant_of_initiator, registrant_of_key, reservation_key, why_open, why_unable
)
from packages.core.model import FenceSpec

NODES = ("n1", "n2", "Node_3", "a.b-c")
epochs = st.integers(min_value=0, max_value=2**24 - 1)
owners = st.builds(registrant, st.sampled_from(NODES), epochs)
guards = st.builds(DiskGuard, registrants=st.lists(owners, max_size=6).map(tuple))


@given(owners)
def test_a_key_and_a_name_tell_whose_they_are(me: Registrant):
    assert registrant_of_key(reservation_key(me), NODES) == me
    assert registrant_of_initiator(FenceSpec(), initiator_name(FenceSpec(), me)) == me
    assert 0 < reservation_key(me) < 2**63


def test_a_key_of_a_node_that_was_removed_is_still_ours_and_a_strangers_is_not():
    gone = registrant_of_key(reservation_key(registrant("gone", 5)), NODES)
    assert gone is not None and gone.epoch == 5 and gone.node.startswith("?")
    assert registrant_of_key(0x1234, NODES) is None
    assert registrant_of_initiator(FenceSpec(), "iqn.1993-08.org.debian:01:abc.7") is None
    assert registrant_of_initiator(FenceSpec(), "iqn.2026-01.vmsg:n1") is None


@given(guards, owners)
def test_a_fence_never_names_the_one_it_is_for_nor_a_later_owner(guard: DiskGuard, by: Registrant):
    for each in outlived(guard, by):
        assert each.node != by.node and each.epoch <= by.epoch
    assert by not in outlived(guard, by)
    for each in own_earlier(guard, by):
        assert each.node == by.node and each.epoch <= by.epoch


def test_a_disk_is_closed_only_when_everybody_before_is_gone_with_their_connections():
    old, by = registrant("n1", 7), registrant("n2", 7)
    assert why_open(DiskGuard(registrants=(by,), closed=True), by) is None
    assert "n1 (epoch 7)" in (why_open(DiskGuard(registrants=(old, by), closed=True), by) or "")
    lingering = DiskGuard(registrants=(by,), closed=True, lingering=(old,))
    assert "can still write" in (why_open(lingering, by) or "")
    assert "open" in (why_open(DiskGuard(registrants=(by,), closed=False), by) or "")


def test_a_list_with_strangers_on_it_or_open_to_all_is_no_fence():
    ours = (registrant("n1", 1),)
    reservation, access = FenceSpec(kind="scsi_reservation"), FenceSpec(kind="target_access")
    assert why_unable(reservation, DiskGuard(registrants=ours)) == ""
    assert why_unable(access, DiskGuard(registrants=ours, closed=True)) == ""
    assert "whoever" in why_unable(access, DiskGuard(registrants=ours))
    stranger = DiskGuard(registrants=ours, foreign=("key 0x1",), closed=True)
    assert "key 0x1" in why_unable(reservation, stranger) and why_unable(access, stranger)


def test_where_a_lun_is():
    lun = lun_of("iscsi://10.0.0.1/iqn.2026-01.lab:vm0/1")
    assert (lun.portal, lun.target, lun.number) == ("10.0.0.1:3260", "iqn.2026-01.lab:vm0", 1)
    assert lun_of("iscsi://[fd00::1]:3261/iqn.2026-01.lab:vm0/12").portal == "[fd00::1]:3261"
