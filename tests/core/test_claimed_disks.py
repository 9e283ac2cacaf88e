"""One look for all, with the answer that a look through each would have given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.core.claimed_disks import DiskClaims
from packages.core.wwid import same_identity

BARE = "600140512345678aa600140512345678"
KEYS = ("/dev/a", "/dev/b", f"naa.{BARE}", f"/dev/disk/by-id/scsi-3{BARE}", f"3{BARE}", BARE,
        "serial:3600", "3600", "600", "", " ", "naa.6001", "/dev/disk/by-id/wwn-0x6001")
NAMES = ("web", "db", "log")


def one_by_one(claims: list[tuple[str, str]], path: str, identity: str, package: str) -> set[str]:
    return {name for key, name in claims if name != package and (
        key == path or same_identity(key, identity))}


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(NAMES)), max_size=8),
    st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from(NAMES))
def test_it_finds_somebody_where_a_look_through_each_does(
    claims: list[tuple[str, str]], path: str, identity: str, package: str,
) -> None:
    found = DiskClaims(claims).of_others(path, identity, package=package)
    expected = one_by_one(claims, path, identity, package)
    assert set(found.values()) <= expected and bool(found) == bool(expected)
    assert all(key == path or same_identity(key, identity) for key in found)


@pytest.mark.parametrize("package, found", [("web", {"/dev/a": "db"}), ("db", {"/dev/a": "web"})])
def test_two_that_name_one_disk_hear_of_one_another(package: str, found: dict[str, str]) -> None:
    claims = DiskClaims([("/dev/a", "web"), ("/dev/a", "db")])
    assert claims.of_others("/dev/a", "", package=package) == found
