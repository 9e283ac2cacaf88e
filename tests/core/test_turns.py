"""One at a time for each who asks."""

import asyncio

from cluster.turns import Turns


async def most_at_once(turns: Turns, names: list[str]) -> dict[str, int]:
    here: dict[str, int] = dict.fromkeys(names, 0)
    most = dict(here)

    async def work(name: str, late: int) -> None:
        for _ in range(late):
            await asyncio.sleep(0)
        async with turns.of(name):
            here[name] += 1
            most[name] = max(most[name], here[name])
            for _ in range(3):
                await asyncio.sleep(0)
            here[name] -= 1

    await asyncio.gather(*(work(name, late) for name in names for late in range(12)))
    return most


async def test_each_has_one_however_many_wait_and_whenever_they_come() -> None:
    """Where a lock was dropped as soon as nobody had it, one that came just then had another."""
    turns = Turns()
    assert await most_at_once(turns, ["ann", "bob"]) == {"ann": 1, "bob": 1}


async def test_others_are_not_waited_for_and_nobody_is_kept() -> None:
    turns = Turns()
    async with turns.of("ann"), asyncio.timeout(10):
        async with turns.of("bob"):
            pass
    assert not turns
