"""What a node may count on: what its guardian has acknowledged, and what one knows that was started
with an empty memory, without room or without descriptors."""

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.nodes.guardian_link import GuardianLink, GuardianReport, Noted
from packages.core.problem import is_problem
from tests.live.guarded import LONG_S, Guard, Ticker, now_s
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live


async def connected(guard: Guard, acknowledged: list[float]) -> GuardianLink:
    link = GuardianLink(
        guard.socket_path, heard=lambda news: None, acknowledged=acknowledged.append)
    assert await link.connect(deadline_s=DEADLINE_S) is None
    return link


async def report(link: GuardianLink) -> GuardianReport:
    answer = await link.ask(deadline_s=DEADLINE_S)
    assert isinstance(answer, GuardianReport)
    return answer


async def test_a_lease_is_acknowledged_by_a_guardian_that_runs_and_by_no_other(guard):
    said: list[float] = []
    link = await connected(guard, said)
    expiry_s = now_s() + LONG_S
    link.renew(expiry_s, expiry_s + LONG_S)
    await until(lambda: said[-1:] == [expiry_s])

    os.kill(guard.process.pid, signal.SIGSTOP)
    link.renew(expiry_s + 1.0, expiry_s + LONG_S)
    for _ in range(5):
        link.ping()
        await asyncio.sleep(0.05)
    assert said[-1] == expiry_s
    os.kill(guard.process.pid, signal.SIGCONT)
    await until(lambda: said[-1] == expiry_s + 1.0)
    await link.close()


async def test_what_it_has_noted_is_read_by_a_daemon_that_it_does_not_answer(guard, tickers):
    link = await connected(guard, [])
    expiry_s = now_s() + LONG_S
    assert link.noted() == Noted(expiry_s=0.0, pids=frozenset())
    link.renew(expiry_s, expiry_s + LONG_S)
    ticker = tickers("alpha")
    link.guard([ticker.guest])
    assert await link.taken_up(deadline_s=DEADLINE_S) is None
    os.kill(guard.process.pid, signal.SIGSTOP)
    try:
        assert link.noted() == Noted(expiry_s=expiry_s, pids=frozenset({ticker.guest.pid}))
    finally:
        os.kill(guard.process.pid, signal.SIGCONT)
        await link.close()


async def test_an_earlier_lease_is_acknowledged_as_the_one_that_is_held(guard):
    said: list[float] = []
    link = await connected(guard, said)
    expiry_s = now_s() + LONG_S
    link.renew(expiry_s, expiry_s + LONG_S)
    link.renew(expiry_s - 5.0, expiry_s + LONG_S)
    await until(lambda: len(said) >= 3)
    assert said[-1] == expiry_s
    await link.close()


async def test_what_the_daemon_froze_goes_on_with_a_good_lease_only(guard, tickers):
    web = tickers("web")
    link = await connected(guard, [])
    expiry_s = now_s() + LONG_S
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest])
    await report(link)
    web.process.send_signal(signal.SIGSTOP)
    await until(web.stopped)
    link.guard([web.guest], frozen=frozenset({web.guest.pid}))
    await web.ticks()

    link.revoke(now_s(), now_s() + LONG_S)
    await until(web.stopped)
    link.guard([web.guest], frozen=frozenset({web.guest.pid}))
    assert [each.package for each in (await report(link)).frozen] == ["web"]
    assert web.stopped()
    await link.close()


@pytest.mark.parametrize("left", [None, b"{", b'{"boot_id": "%s", "guests": 7, "lease": {}}'])
async def test_without_a_record_the_guests_of_the_folder_are_found_and_stand(guard, tickers, left):
    """Nor with one that cannot be read."""
    web = tickers("web")
    link = await connected(guard, [])
    link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    link.guard([web.guest])
    await report(link)
    await link.close()
    guard.process.kill()
    guard.process.wait()
    record = guard.folder / "guardian.json"
    record.unlink()
    if left is not None:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        record.write_bytes(left.replace(b"%s", boot_id))
    guard.process = guard.start()
    await until(web.stopped)

    again = await connected(guard, [])
    assert [each.package for each in (await report(again)).frozen] == ["web"]
    again.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    again.guard([web.guest])
    await web.ticks()
    await again.close()


async def test_guests_of_another_folder_are_not_touched(guard, tickers, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    elsewhere = Ticker(other, "web")
    try:
        guard.restart()
        link = await connected(guard, [])
        assert (await report(link)).guarded == ()
        await elsewhere.ticks()
        await link.close()
    finally:
        elsewhere.end()


async def test_a_record_that_cannot_be_written_is_not_left_as_it_was(tmp_path, tickers):
    """An old one would hide the guests that came since."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=True)
    guard = None
    try:
        assert os.path.ismount(small)
        guard = Guard(small)
        link = await connected(guard, [])
        link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
        await report(link)
        assert (small / "guardian.json").exists()
        with pytest.raises(OSError):
            (small / "filler").write_bytes(bytes(64 << 10))
        web = tickers("web")
        link.guard([web.guest])
        await until(lambda: guard.says("CANNOT write"))
        assert not (small / "guardian.json").exists()
        await web.ticks()
        await link.close()
    finally:
        if guard is not None:
            guard.end()
        subprocess.run(["umount", str(small)], check=True)


async def test_without_descriptors_a_guest_that_cannot_be_held_is_not_called_guarded(
    tmp_path, tickers,
):
    guard = Guard(tmp_path, descriptors=16)
    try:
        link = await connected(guard, [])
        link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
        many = [tickers(f"p{number}").guest for number in range(16)]
        link.guard(many)
        refused = await link.taken_up(deadline_s=1.0)
        assert is_problem(refused) and refused.code == "guardian-unreachable"
        await until(lambda: guard.says("cannot be held"))
        link.guard(many[:2])
        await until(lambda: link.connected)
        assert len((await report(link)).guarded) == 2
        await link.close()
    finally:
        guard.end()


async def test_a_caller_for_whom_there_is_no_descriptor_is_turned_away(tmp_path, tickers):
    """Left waiting it would have the guardian look at its door again and again, without a pause and
    before every other process of the host."""
    guard = Guard(tmp_path, descriptors=16)
    try:
        link = await connected(guard, [])
        link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
        link.guard([tickers(f"p{number}").guest for number in range(16)])
        await until(lambda: guard.says("cannot be held"))
        with ExitStack() as callers:
            for _ in range(3):
                caller = callers.enter_context(socket.socket(socket.AF_UNIX))
                caller.settimeout(LONG_S)
                caller.connect(guard.socket_path)
            assert await asyncio.to_thread(caller.recv, 1) == b""
            assert guard.says("no descriptor is left for it")
        await link.close()
    finally:
        guard.end()


async def test_an_older_record_of_this_boot_counts_until_the_daemons_first_word(guard, tickers):
    """It holds an earlier lease and not every guest: both are said again on the first line."""
    web, db = tickers("web"), tickers("db")
    link = await connected(guard, [])
    first_s, later_s = now_s() + LONG_S, now_s() + 2 * LONG_S
    link.renew(first_s, later_s)
    link.guard([web.guest])
    await report(link)
    older = (guard.folder / "guardian.json").read_bytes()
    link.renew(later_s, later_s + LONG_S)
    link.guard([web.guest, db.guest])
    await report(link)

    guard.process.kill()
    guard.process.wait()
    (guard.folder / "guardian.json").write_bytes(older)
    guard.process = guard.start()
    await until(lambda: guard.says("guarding 1 guests"))
    await until(lambda: link.connected)
    after = await report(link)
    assert after.expiry_s == later_s
    assert sorted(each.package for each in after.guarded) == ["db", "web"]
    assert not web.stopped() and not db.stopped()
    await link.close()


async def test_its_record_follows_the_lease(guard, tickers):
    """Longer: its successor stops nobody too soon. Given back: nor too late."""
    web = tickers("web")
    link = await connected(guard, [])
    first_s = now_s() + LONG_S
    link.renew(first_s, first_s + LONG_S)
    link.guard([web.guest])
    await report(link)
    link.renew(first_s + 5.0, first_s + LONG_S)
    await report(link)
    await link.close()
    guard.restart()
    link = await connected(guard, [])
    assert (await report(link)).expiry_s == first_s + 5.0
    link.revoke(now_s(), now_s() + LONG_S)
    await report(link)
    await link.close()
    guard.restart()
    link = await connected(guard, [])
    assert (await report(link)).expiry_s < now_s()
    assert web.stopped()
    await link.close()


async def test_it_asks_to_be_the_last_that_is_ended_for_want_of_memory(guard):
    """And says so where it may not; as its unit has it, it may (tests/core/test_supervision.py)."""
    link = await connected(guard, [])
    score = Path(f"/proc/{guard.process.pid}/oom_score_adj").read_text(encoding="ascii")
    assert int(score) == -1000 or guard.says("no exemption from the end for want of memory")
    await link.close()


@pytest.mark.parametrize("lost", ["files", "folder"])
async def test_a_run_folder_that_was_cleaned_up_is_made_again(tmp_path, tickers, lost):
    """Lease and guests stay in force; a daemon that starts then finds its guardian, a second
    guardian still refuses, and a successor goes on from the record."""
    folder, ticker = tmp_path / "run", tickers("web")
    folder.mkdir()
    guard = Guard(folder)
    try:
        link = await connected(guard, [])
        expiry_s = now_s() + LONG_S
        link.renew(expiry_s, expiry_s + LONG_S)
        link.guard([ticker.guest])
        assert await link.taken_up() is None
        await link.close()
        if lost == "folder":
            folder.rename(tmp_path / "gone")
        else:
            for each in folder.glob("guardian.*"):
                each.unlink(missing_ok=True)
        await until(lambda: (folder / "guardian.json").exists())
        fresh = await connected(guard, [])
        answer = await report(fresh)
        assert [each.package for each in answer.guarded] == ["web"]
        assert answer.expiry_s == expiry_s and answer.frozen == ()
        second = guard.start()
        assert second.wait(DEADLINE_S) == 1
        await fresh.close()
        guard.restart()
        after = await report(await connected(guard, []))
        assert [each.package for each in after.guarded] == ["web"]
        assert after.expiry_s == expiry_s and after.frozen == ()
        await ticker.ticks()
    finally:
        guard.end()
