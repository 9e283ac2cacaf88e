"""Debian's fence agents themselves: what each says of itself, and some of them at work.

Their metadata is what `vmsg node fence --test` holds the configuration against, so every agent that
is installed is read; and some switch something off for real: fence_dummy its file, fence_redfish a
controller on loopback, fence_virsh a host behind a login.
"""

import asyncio
import os
import re
from pathlib import Path

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.schema import FenceConfig
from cluster.power.agents import FenceAgents
from cluster.power.metadata import AgentMetadata, metadata_of
from packages.core.problem import Problem
from packages.core.values import changed
from tests.contracts.power_worlds import PASSWORD, Namespace, make_agent, make_secret
from tests.contracts.redfish_host import RedfishHost
from tests.live.waiting import until

ROOT = Path(__file__).parents[2]
FOLDER = Path("/usr/sbin")
AT_ONCE = 3
NO_AGENTS = {"fence_ack_manual", "fence_kdump_send", "fence_virtd", "fence_legacy"}
"""Programs of that name which take no orders on their standard input."""
CANNOT_SWITCH_OFF = {"fence_rcd_serial"}
"""It knows the action reboot alone."""


def installed() -> list[str]:
    return sorted({each.name for each in FOLDER.glob("fence_*")} - NO_AGENTS)


async def metadata_text(agent: str) -> str:
    process = await asyncio.create_subprocess_exec(
        FOLDER / agent, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL)
    out, _ = await process.communicate(b"action=metadata\n")
    return out.decode()


def demanded(text: str) -> list[str]:
    """As a person reads it: what is required, not deprecated, and has no default."""
    return sorted(
        found[1] for found in re.finditer(
            r'<parameter name="([^"]+)"([^>]*)>(.*?)</parameter>', text, re.DOTALL)
        if 'required="1"' in found[2] and 'deprecated="1"' not in found[2]
        and not re.search(r'default="[^"]', found[3]))


def old_names(text: str) -> dict[str, str]:
    """Today's name -> the one it replaces."""
    return {found[2]: found[1] if found[1] != found[2] else "" for found in re.finditer(
        r'<parameter name="([^"]+)"[^>]*obsoletes="([^"]+)"', text)}


async def test_every_installed_agent_is_understood() -> None:
    assert len(installed()) > 70, "fence-agents is not installed"
    gate = asyncio.Semaphore(AT_ONCE)
    texts: dict[str, str] = {}

    async def read(agent: str) -> None:
        async with gate:
            texts[agent] = await metadata_text(agent)

    await asyncio.gather(*map(read, installed()))
    for agent, text in texts.items():
        told = metadata_of(text)
        assert isinstance(told, AgentMetadata), f"{agent}: {told}"
        assert ("off" in told.actions) == (agent not in CANNOT_SWITCH_OFF), agent
        names = demanded(text)
        wanted = [name for name in names if name != "action"]
        assert told.missing([]) == wanted, agent
        # Whoever writes today's names has nothing missing, and nobody is asked for the old ones.
        assert told.missing(names) == [] and told.unknown(names) == ["action"] * (
            "action" in names), agent
        # Old names are as good, each in the place of its own option.
        replaced = {new: old for old, new in old_names(text).items()}
        assert told.missing(replaced.get(name, name) for name in names) == [], agent
        assert told.unknown(replaced.values()) == [], agent


async def test_the_examples_agents_know_every_parameter_it_gives(tmp_path: Path) -> None:
    config, problems = cluster_from_text((ROOT / "conf/cluster.yaml").read_text())
    assert config is not None, problems
    fences = [fence for node in config.nodes for fence in node.fences]
    assert {each.agent for each in fences} == {"fence_ipmilan", "fence_apc_snmp"}
    for each in fences:
        secrets = {name: make_secret(tmp_path) for name in each.secrets}
        assert await FenceAgents().check(changed(each, secrets=secrets)) == []


@pytest.mark.parametrize(("options", "codes"), [
    ({"ip": "10.0.0.1", "username": "u", "plug": "1"}, []),
    ({"ipaddr": "10.0.0.1", "login": "u", "port": "1"}, []),
    ({"ip": "10.0.0.1", "login": "u", "plug": "1", "command-prompt": "x"}, []),
    ({"ip": "10.0.0.1", "username": "u"}, ["fence-parameter-missing"]),
    ({"ip": "10.0.0.1", "usrename": "u", "plug": "1"},
     ["fence-parameter-unknown", "fence-parameter-missing"]),
], ids=["today", "of old", "long", "missing", "misspelt"])
async def test_either_name_of_an_option_serves(options: dict[str, str], codes: list[str]) -> None:
    found = await FenceAgents().check(FenceConfig(agent="fence_apc", options=options))
    assert [each.code for each in found] == codes, found
    # What is missing is called as it is today.
    assert not any(old in each.what for each in found for old in ("ipaddr", "login", "port."))


async def test_an_agent_that_cannot_switch_off_is_found_by_its_check() -> None:
    found = await FenceAgents().check(FenceConfig(agent="fence_rcd_serial"))
    assert [each.code for each in found] == ["fence-failed"]


async def test_fence_dummy_switches_its_file_off(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("on")
    fence = FenceConfig(agent="fence_dummy", options={"status_file": str(status)})
    assert await FenceAgents().check(fence) == []
    assert await FenceAgents().power(fence) == "on"
    assert await FenceAgents().switch_off(fence) is None
    assert status.read_text() == "off"
    assert await FenceAgents().power(fence) == "off"
    assert await FenceAgents().switch_off(fence) is None, "twice is the same as once"
    broken = changed(fence, options={"status_file": str(tmp_path / "no" / "status")})
    status.write_text("on")
    assert await FenceAgents().power(fence) == "on"
    assert await FenceAgents().power(broken) == "off", "as the dummy has it: nothing is there"


async def test_fence_redfish_switches_a_host_off_and_sees_it_off(tmp_path: Path) -> None:
    with RedfishHost(tmp_path, user="vmsg", password=PASSWORD) as host:
        fence = FenceConfig(
            agent="fence_redfish", timeout_s=40.0, secrets={"password": make_secret(tmp_path)},
            options={"ip": "127.0.0.1", "ipport": str(host.port), "username": "vmsg",
                     "ssl_insecure": "1", "power_wait": "0"})
        assert await FenceAgents().check(fence) == []
        assert await FenceAgents().power(fence) == "on" and host.asked == []
        (tmp_path / "guess").mkdir()
        guess = changed(fence, secrets={"password": make_secret(tmp_path / "guess", "guess")})
        assert isinstance(await FenceAgents().switch_off(guess), Problem)
        assert host.power == "On" and host.asked == []
        assert await FenceAgents().switch_off(fence) is None
        assert host.power == "Off" and host.asked == ["ForceOff"]
        assert await FenceAgents().power(fence) == "off"
    gone = await FenceAgents().switch_off(fence)
    assert isinstance(gone, Problem), "a controller that does not answer has proven nothing"


VIRSH = """\
#!/bin/sh
case "$1" in
list) echo " Id Name State"; echo " 1 {host} running";;
domstate) [ -n "$(ip netns pids {host})" ] && echo running || echo "shut off";;
destroy) for pid in $(ip netns pids {host}); do kill -9 $pid; done; echo destroyed;;
esac
"""

LOGIN = """\
#!/bin/sh
# In place of ssh: the last word is the order that the agent gives the shell over there.
PATH={folder}:$PATH
export PATH
while [ $# -gt 1 ]; do shift; done
exec /bin/sh -c "$1"
"""


async def test_fence_virsh_ends_the_domain_it_is_told(tmp_path: Path) -> None:
    with Namespace() as host:
        make_agent(tmp_path, VIRSH.format(host=host.name), name="virsh")
        login = make_agent(tmp_path, LOGIN.format(folder=tmp_path), name="login")
        fence = FenceConfig(agent="fence_virsh", timeout_s=40.0, options={
            "ip": "127.0.0.1", "username": "root", "plug": host.name, "ssh_path": login,
            "identity_file": str(tmp_path / "virsh"), "power_wait": "0"})
        assert await FenceAgents().check(fence) == []
        assert await FenceAgents().power(fence) == "on"
        assert await FenceAgents().switch_off(fence) is None
        await until(host.is_off)
        assert await FenceAgents().power(fence) == "off"
        assert os.path.exists(login)
