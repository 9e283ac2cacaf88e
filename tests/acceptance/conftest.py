"""What hosts with a systemd of their own share: the Debian packages, made once, as README says."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.rig.hosts import ROOT
from tests.acceptance.rig.readme import Reading


@pytest.fixture(scope="session")
def debs() -> Path:
    """The folder with those of both Debians, by README's first command in this checkout."""
    first = Reading(since="Three real hosts", until="Beside Serviceguard").next("make deb")
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    subprocess.run(["sh", "-ec", first], cwd=ROOT, check=True, env=environment, timeout=300,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return ROOT / "build/deb"
