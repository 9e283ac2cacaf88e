"""Waits from outside for a step of a move, as its source's agent writes it down."""

import asyncio
import time
from pathlib import Path

LOOK_S = 0.002


class PhaseMissed(AssertionError):
    """The move was called off before it came there: a starved machine was slower with what holds
    it than the product is patient with a guest that stands (packages/departure.py)."""


async def reached(log_file: Path, move: str, step: str, *, within_s: float) -> None:
    end = time.monotonic() + within_s
    with log_file.open() as log:
        text = log.read()
        while True:
            taken = [line.rpartition(": ")[2] for line in text.splitlines()
                     if f"move {move} of" in line]
            if step in taken:
                return
            if "abort" in taken:
                raise PhaseMissed(f"{move} was called off before {step}")
            assert time.monotonic() < end, f"{move} never came to {step}"
            await asyncio.sleep(LOOK_S)
            text += log.read()
