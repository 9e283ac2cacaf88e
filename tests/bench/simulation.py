"""How soon the simulation notices a build that is broken on purpose, and how fast it searches."""

import itertools
import statistics

from cluster.clock import HostClock
from tests.bench.rig.report import publish
from tests.simulation.broken_builds import BROKEN
from tests.simulation.host import Build
from tests.simulation.search import run, seeds_until_caught

TIMES = 8
"""Each build is searched for so often, each time from where the last time ended."""
MOST_SEEDS = 100
SPEED_SEEDS = 60


def seeds_needed(build: type[Build]) -> list[int]:
    needed, first = [], 100_000
    for _ in range(TIMES):
        found = seeds_until_caught(build, first=first, most=MOST_SEEDS)
        assert found is not None, f"{build.__name__} is not caught"
        needed.append(found)
        first += found
    return needed


def speed() -> str:
    clock, simulated_s = HostClock(), 0.0
    began_s = clock.boottime_s()
    for seed in itertools.islice(itertools.count(1), SPEED_SEEDS):
        simulated_s += run(seed).simulated_s
    took_s = clock.boottime_s() - began_s
    return (f"The sound build: {60 * SPEED_SEEDS / took_s:.0f} seeds a minute on one core, "
            f"{simulated_s / took_s:.0f} simulated seconds a second; none broken.")


def main() -> None:
    rows = []
    for name, build in sorted(BROKEN.items()):
        needed = seeds_needed(build)
        said = (build.__doc__ or "").strip().split("\n")[0]
        rows.append((name, said, build.caught_by[0], f"{statistics.mean(needed):.1f}",
                     str(max(needed))))
    publish(
        "simulation", "The simulation finds what is broken",
        [speed(), "", "Each line is a build with one part broken on purpose (tests/simulation/"
         "broken_builds.py): how many seeds it took until a checker made for it stopped the run, "
         f"over {TIMES} searches."],
        ("build", "what is broken", "checker", "seeds on average", "most"), rows,
    )


if __name__ == "__main__":
    main()
