"""What the host is asked once, however many ask."""

import asyncio
from pathlib import Path

import pytest

from cluster.nodes.shared import Shared
from packages.vm.qemu import accelerators

FIRMWARE = """#!/bin/sh
echo started >> {log}
sleep 0.3
printf {words}
sleep 5
"""


class Asked:
    """Counts how often it is asked; the first fails where that is wanted."""

    def __init__(self, *, fails: int = 0) -> None:
        self.times, self.now, self.most, self._fails = 0, 0, 0, fails
        self.released = asyncio.Event()

    async def __call__(self, deadline_s: float) -> int:
        self.times += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await self.released.wait()
        self.now -= 1
        if self.times <= self._fails:
            raise OSError("no")
        return self.times


async def test_all_who_ask_meanwhile_share_one_answer() -> None:
    asked = Asked()
    shared = Shared(asked, kept_s=60.0)
    asking = [asyncio.ensure_future(shared.answer(deadline_s=1.0)) for _ in range(60)]
    await asyncio.sleep(0)
    asked.released.set()
    assert await asyncio.gather(*asking) == [1] * 60
    assert await shared.answer(deadline_s=1.0) == 1 and asked.times == 1


async def test_an_answer_grows_old() -> None:
    asked = Asked()
    asked.released.set()
    shared = Shared(asked, kept_s=-1.0)
    assert [await shared.answer(deadline_s=1.0) for _ in range(3)] == [1, 2, 3]


async def test_who_gives_up_ends_it_for_nobody_else() -> None:
    asked = Asked()
    shared = Shared(asked, kept_s=60.0)
    hasty, patient = (asyncio.ensure_future(shared.answer(deadline_s=1.0)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.sleep(0)
    asked.released.set()
    assert await patient == 1 and hasty.cancelled()


async def test_a_failure_is_not_kept() -> None:
    asked = Asked(fails=1)
    asked.released.set()
    shared = Shared(asked, kept_s=60.0)
    with pytest.raises(OSError):
        await shared.answer(deadline_s=1.0)
    assert await shared.answer(deadline_s=1.0) == 2


async def test_kvm_is_tried_once_for_all_who_ask(tmp_path: Path) -> None:
    log, program = tmp_path / "log", tmp_path / "qemu"
    program.write_text(FIRMWARE.format(log=log, words="SeaBIOS"))
    program.chmod(0o755)
    log.touch()

    async def trial() -> accelerators.KvmTrial:
        return await accelerators.kvm_trial(tmp_path / "run", binary=str(program), kvm=log)

    trials = await asyncio.gather(*(trial() for _ in range(60)))
    assert log.read_text() == "started\n"
    assert {await trial(), *trials} == {trials[0]}
    assert log.read_text() == "started\n" and not accelerators._under_way
