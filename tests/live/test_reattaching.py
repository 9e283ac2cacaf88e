"""A bridge is deleted and made again under running guests, in a network namespace of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

STORY = """
import asyncio, json, subprocess, sys
from pathlib import Path
from packages.core.model import NetworkSpec
from packages.core.values import to_json
from packages.vm.driver import Guest
from packages.vm.qemu.reattaching import Bridges
from packages.vm.qemu.records import GuestRecord
from packages.vm.qemu.taps import make_taps, tap_names

def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout

def bridge():
    ip("link", "add", "vsw0", "type", "bridge")
    ip("link", "set", "vsw0", "up")

def master():
    return json.loads(ip("-j", "link", "show", name))[0].get("master", "")

run = Path(sys.argv[1])
(name,) = tap_names(run, "web", 1)
bridge()
networks = [NetworkSpec(vswitch="vsw0", mac="52:54:00:00:00:01")]
assert asyncio.run(make_taps("web", [name], networks)) is None
guest = Guest(package="web", epoch=1, boot_id="b", pid=1, start_ticks=1, accel="tcg",
              machine="pc-q35-7.2")
(run / "web").mkdir()
(run / "web" / "guest.json").write_bytes(to_json(
    GuestRecord(guest=guest, name="n", taps=(name,), bridges=("vsw0",))))
(run / "old").mkdir()
(run / "old" / "guest.json").write_text("{")
bridges = Bridges(run)
said = [bridges.look(), master()]
ip("link", "del", "vsw0")
said += [bridges.look(), master()]
bridge()
said += [bridges.look(), master(), bridges.look()]
ip("link", "set", name, "nomaster")
said += [bridges.look(), master()]
print(json.dumps([name, said]))
"""


def test_a_tap_is_put_back_into_a_bridge_that_was_made_again(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", STORY, str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    name, said = json.loads(done.stdout)
    assert said == [
        [], "vsw0",         # it is a port already
        [], "",             # its bridge is gone
        [name], "vsw0", [],  # made again, and put back once
        [], "",             # an operator has taken it out of a bridge that stands
    ]
