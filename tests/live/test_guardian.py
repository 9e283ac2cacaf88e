"""The guardian as a real process, over real children that tick: whoever is frozen ticks no more."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.nodes.guardian_link import GuardianLink, GuardianNews, GuardianReport
from packages.core.problem import is_problem
from packages.vm.driver import Guest
from tests.live.guarded import LONG_S, Guard, now_s
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live

FROZEN_WITHIN_S = 0.1
"""After the end of the lease. With fourteen processes for two processors the guardian had told of
it after 0.3 ms (median of 12; at most 4.7), and a guest's last tick was at most 0.2 ms before."""
EARLY_S = 0.3
"""Before it: a guest that was stopped sooner was frozen early. Its last tick was at most 24 ms
before the end in the same measurement."""


@pytest.fixture
async def news() -> list[GuardianNews]:
    return []


@pytest.fixture
async def link(guard: Guard, news: list[GuardianNews]) -> AsyncIterator[GuardianLink]:
    link = GuardianLink(guard.socket_path, heard=news.append)
    assert await link.connect(deadline_s=DEADLINE_S) is None
    yield link
    await link.close()


async def report(link: GuardianLink) -> GuardianReport:
    answer = await link.ask(deadline_s=DEADLINE_S)
    assert isinstance(answer, GuardianReport)
    return answer


def events(news: list[GuardianNews]) -> list[tuple[str, list[str]]]:
    return [(each.event, sorted(guest.package for guest in each.guests)) for each in news]


async def test_all_are_frozen_at_the_expiry_and_thawed_by_a_renewal(link, tickers, news):
    web, db = tickers("web"), tickers("db")
    await web.ticks()
    await db.ticks()
    expiry_s = now_s() + 0.5
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest, db.guest])
    await until(lambda: web.stopped() and db.stopped() and news)  # it stops them, then says so
    assert expiry_s <= news[0].at_s < expiry_s + FROZEN_WITHIN_S
    for ticker in (web, db):
        assert -EARLY_S < ticker.last_tick_s() - expiry_s < FROZEN_WITHIN_S, (
            "ran past, or was frozen early")
    assert {guest.package for guest in (await report(link)).frozen} == {"web", "db"}

    link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    await web.ticks()
    await db.ticks()
    assert (await report(link)).frozen == ()
    assert events(news) == [("frozen", ["db", "web"]), ("thawed", ["db", "web"])]


async def test_renewed_in_time_nobody_is_ever_stopped(link, tickers, news):
    web = tickers("web")
    lease_s = 2.0  # a stall of this process is shorter
    link.renew(now_s() + lease_s, now_s() + LONG_S)
    link.guard([web.guest])
    end = now_s() + 1.5 * lease_s
    while now_s() < end:
        link.renew(now_s() + lease_s, now_s() + LONG_S)
        await asyncio.sleep(0.05)
    assert news == []
    await web.ticks()


async def test_an_earlier_expiry_is_ignored_unless_the_lease_is_given_back(link, tickers, news):
    web = tickers("web")
    expiry_s = now_s() + LONG_S
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest])
    link.renew(now_s(), now_s() + 0.01)
    assert (await report(link)).expiry_s == expiry_s
    await web.ticks()
    link.revoke(now_s(), now_s() + LONG_S)
    await until(web.stopped)
    await until(lambda: events(news) == [("frozen", ["web"])])


async def test_a_guest_registered_without_a_lease_is_frozen_at_once(link, tickers):
    web = tickers("web")
    await web.ticks()
    link.guard([web.guest])
    assert [guest.package for guest in (await report(link)).frozen] == ["web"]
    await until(web.stopped)


async def test_a_frozen_guest_that_is_let_go_goes_on(link, tickers, news):
    """Nobody else would continue it; the guest beside it stays as it is."""
    web, db = tickers("web"), tickers("db")
    link.guard([web.guest, db.guest])
    await until(lambda: web.stopped() and db.stopped())
    link.guard([db.guest])
    await web.ticks()
    assert [guest.package for guest in (await report(link)).guarded] == ["db"]
    assert db.stopped()
    assert events(news)[-1] == ("thawed", ["web"])


async def test_a_guest_found_stopped_is_one_that_a_guardian_froze(link, tickers):
    """One that died before it could note the deed."""
    web = tickers("web")
    web.process.send_signal(signal.SIGSTOP)
    await until(web.stopped)
    link.renew(now_s() + LONG_S, now_s() + LONG_S)
    link.guard([web.guest])
    await web.ticks()


async def test_a_list_that_was_said_is_not_said_again(guard, link, tickers):
    web = tickers("web")
    link.guard([web.guest])
    await until(web.stopped)
    noted = (guard.folder / "guardian.json").stat().st_mtime_ns
    link.guard([web.guest])
    await report(link)
    assert (guard.folder / "guardian.json").stat().st_mtime_ns == noted


async def test_a_guest_continued_by_somebody_is_frozen_again(link, tickers):
    web = tickers("web")
    link.guard([web.guest])
    await until(web.stopped)
    since_s = now_s()

    def goes_on() -> bool:  # again and again: it may be stopped before it has had its turn
        web.process.send_signal(signal.SIGCONT)
        return web.last_tick_s() > since_s

    await until(goes_on)
    await until(web.stopped)


async def test_a_guest_continued_without_a_daemon_does_not_run_for_a_second(guard, link, tickers):
    """Nothing is said to it, so only its own wait ends; right after a look, a whole one is left."""
    web = tickers("web")
    link.guard([web.guest])
    await until(web.stopped)
    ran_s = []

    def goes_on() -> bool:
        nonlocal since_s
        since_s = now_s()
        web.process.send_signal(signal.SIGCONT)
        return web.last_tick_s() > began_s

    for _ in range(6):
        await report(link)  # it has seen that it stands
        since_s = began_s = now_s()
        await until(goes_on)
        await until(web.stopped)
        ran_s.append(now_s() - since_s)
    assert min(ran_s[1:]) < 0.6, ran_s
    assert guard.says("CONTINUED by somebody")


async def test_killed_when_the_second_deadline_passes_and_reported_until_taken_off(
    link, tickers, news,
):
    web = tickers("web")
    expiry_s = now_s() + 0.2
    link.renew(expiry_s, expiry_s + 0.4)
    link.guard([web.guest])
    assert await asyncio.to_thread(web.process.wait, DEADLINE_S) == -signal.SIGKILL
    assert now_s() >= expiry_s + 0.4
    await until(lambda: ("gone", ["web"]) in events(news))
    assert [guest.package for guest in (await report(link)).killed] == ["web"]
    link.guard([])
    assert (await report(link)).killed == ()
    assert events(news) == [("frozen", ["web"]), ("killed", ["web"]), ("gone", ["web"])]


async def test_only_the_very_process_is_touched(link, tickers, news):
    web = tickers("web")
    stranger = Guest(
        package="web", epoch=1, boot_id="life", pid=web.guest.pid,
        start_ticks=web.guest.start_ticks - 1, accel="tcg", machine="q35",
    )
    link.guard([stranger])
    assert (await report(link)).guarded == ()
    assert events(news) == [("absent", ["web"])]
    await web.ticks()


async def test_a_killed_guardian_is_replaced_and_goes_on_where_it_was(guard, tickers, news):
    web = tickers("web")
    link = GuardianLink(guard.socket_path, heard=news.append)
    await link.connect(deadline_s=DEADLINE_S)
    expiry_s = now_s() + 4.0  # far more than a guardian takes to start
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest])
    await report(link)
    await link.close()  # from here on the guardian has nothing but its record
    guard.restart()
    await until(web.stopped)
    assert expiry_s - 0.5 < web.last_tick_s() < expiry_s + FROZEN_WITHIN_S

    guard.restart()  # and a frozen guest is still known as frozen by our own hand
    successor = GuardianLink(guard.socket_path, heard=news.append)
    await successor.connect(deadline_s=DEADLINE_S)
    successor.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    await web.ticks()
    await successor.close()


async def test_the_link_repeats_lease_and_list_to_a_guardian_without_a_record(
    guard, link, tickers,
):
    web = tickers("web")
    expiry_s = now_s() + LONG_S
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest])
    await report(link)
    guard.process.kill()
    guard.process.wait()
    (guard.folder / "guardian.json").unlink()
    guard.process = guard.start()
    await until(lambda: not link.connected)
    await until(lambda: link.connected)
    after = await report(link)
    assert after.expiry_s == expiry_s
    assert [guest.package for guest in after.guarded] == ["web"]
    assert not web.stopped()


async def test_a_record_of_another_boot_is_not_believed(guard, link, tickers):
    """Its clock says nothing here: the guest is found by its name, and stands without a lease."""
    web = tickers("web")
    link.renew(now_s() + LONG_S, now_s() + LONG_S)
    link.guard([web.guest])
    await report(link)
    await link.close()
    guard.process.kill()
    guard.process.wait()
    record = guard.folder / "guardian.json"
    kept = json.loads(record.read_text(encoding="ascii"))
    record.write_text(json.dumps({**kept, "boot_id": "another"}), encoding="ascii")
    guard.process = guard.start()
    fresh = GuardianLink(guard.socket_path, heard=lambda news: None)
    await fresh.connect(deadline_s=DEADLINE_S)
    assert (await report(fresh)).expiry_s == 0.0
    await until(web.stopped)
    await fresh.close()


@pytest.mark.parametrize("garbage", [
    b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"lease": 7}\n', b'{"guests": [{"pid": 1}]}\n',
    b'{"lease": {"expiry_s": NaN, "kill_at_s": 1}}\n', b'{"lease": {"expiry_s": -1}}\n',
    b'{"lease": {"expiry_s": 9e9, "kill_at_s": 9e9}}\n', b'{"frob": 1}\n', b'{"ask": "x"}\n',
    b'{"guests": [{"package": "a", "epoch": 1, "pid": 1, "start_ticks": 1}]}\n',
    b"[" * 100_000 + b"\n", b"x" * (2 << 20),
])
async def test_garbage_ends_its_own_connection_and_nothing_else(link, guard, tickers, garbage):
    web = tickers("web")
    link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    link.guard([web.guest])
    before = await report(link)
    reader, writer = await asyncio.open_unix_connection(guard.socket_path)
    writer.write(garbage)
    try:
        assert await asyncio.wait_for(reader.read(), DEADLINE_S) == b""
    except ConnectionResetError:
        pass  # dropped with bytes of ours unread
    writer.close()
    after = await report(link)
    assert (after.expiry_s, after.guarded) == (before.expiry_s, before.guarded)
    assert link.connected and not web.stopped()


async def test_another_user_is_not_listened_to(guard, link):
    for path, mode in ((guard.folder, 0o711), (guard.socket_path, 0o666)):
        os.chmod(path, mode)  # even if the files let him
    script = (
        "import os, socket, sys\n"
        "sock = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1]); os.setuid(65534); sock.connect('guardian.sock')\n"
        "sys.exit(7 if sock.recv(1) == b'' else 0)\n"
    )
    asker = await asyncio.create_subprocess_exec(
        sys.executable, "-IS", "-c", script, str(guard.folder),
    )
    assert await asyncio.wait_for(asker.wait(), DEADLINE_S) == 7
    await until(lambda: guard.says("refused a connection of uid 65534"))


async def test_a_second_guardian_on_the_folder_refuses(guard, link):
    second = guard.start()
    assert await asyncio.to_thread(second.wait, DEADLINE_S) == 1
    assert guard.says("another guardian guards")
    await report(link)


async def test_asked_to_end_it_stays_until_its_guests_have_ended(guard, link, tickers):
    web = tickers("web")
    link.renew(now_s() + LONG_S, now_s() + 2 * LONG_S)
    link.guard([web.guest])
    await report(link)
    guard.process.send_signal(signal.SIGTERM)
    await until(lambda: guard.says("ASKED TO END"))
    assert (await report(link)).ending
    web.end()
    assert await asyncio.to_thread(guard.process.wait, DEADLINE_S) == 0


async def test_without_a_guardian_the_link_says_so_and_connects_later(tmp_path):
    link = GuardianLink(str(tmp_path / "guardian.sock"), heard=lambda news: None)
    refused = await link.connect(deadline_s=0.3)
    assert is_problem(refused) and refused.code == "guardian-unreachable"
    assert is_problem(await link.ask())
    guard = Guard(tmp_path)
    try:
        await until(lambda: link.connected)
    finally:
        await link.close()
        guard.end()


async def test_a_peer_that_never_reads_does_not_hold_the_guardian_up(guard, link, tickers):
    web = tickers("web")
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(guard.socket_path)
    deaf.setblocking(False)
    question = b'{"ask": 1}\n' * 2000
    try:
        for _ in range(2000):
            await asyncio.sleep(0)
            deaf.send(question)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    expiry_s = now_s() + 0.3
    link.renew(expiry_s, expiry_s + LONG_S)
    link.guard([web.guest])
    await until(web.stopped)
    deaf.close()


async def test_it_costs_next_to_nothing(guard, link, tickers):
    """Bounds are generous for a shared machine; the target is 15 MiB and 0.3 % of a core."""
    web = tickers("web")
    link.guard([web.guest])

    def cpu_s() -> float:
        stat = Path(f"/proc/{guard.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    link.renew(now_s() + 3.5, now_s() + LONG_S)
    await report(link)
    before_s, began_s = cpu_s(), now_s()
    for _ in range(20):
        link.renew(now_s() + 3.5, now_s() + LONG_S)
        await asyncio.sleep(0.25)
    assert (cpu_s() - before_s) / (now_s() - began_s) < 0.01
    status = Path(f"/proc/{guard.process.pid}/status").read_text(encoding="ascii")
    [rss_kib] = [int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line]
    assert rss_kib * 1024 <= 15 << 20
