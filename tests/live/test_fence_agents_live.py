"""`vmsg node fence NODE --test` with agents as Debian ships them, as an operator tries them."""

from pathlib import Path

import pytest

from tests.contracts.power_worlds import PASSWORD, make_secret
from tests.contracts.redfish_host import RedfishHost
from tests.live.hosts import Hosts, hosts

pytestmark = pytest.mark.live


def with_fences(farm: Hosts, fences: str) -> None:
    """Each node of the farm's cluster file, with these."""
    text = farm.file.read_text()
    assert text.count("}\n") == len(farm.names)
    farm.file.write_text(text.replace("}\n", f", fences: [{fences}]}}\n"))


async def test_an_operator_tries_real_agents_and_nothing_is_switched_off(tmp_path: Path) -> None:
    status = tmp_path / "dummy"
    status.write_text("on")
    secret = make_secret(tmp_path)
    with RedfishHost(tmp_path, user="vmsg", password=PASSWORD) as host:
        async with hosts(tmp_path, "n1") as farm:
            with_fences(farm, (
                f"{{agent: fence_redfish, timeout_s: 60, secrets: {{password: {secret}}}, "
                f"options: {{ip: 127.0.0.1, ipport: \"{host.port}\", username: vmsg, "
                "ssl_insecure: \"1\"}}, "
                f"{{agent: fence_dummy, level: 2, options: {{status_file: {status}}}}}"))
            await farm.found()
            farm.start("n1")
            await farm.until_up("n1")
            said = await farm.asked("node", "fence", "n1", "--test", "--timeout", "80s")
            told = {each["agent"]: each for each in said["tests"]}
            assert set(told) == {"fence_redfish", "fence_dummy"}
            for each in told.values():
                assert (each["power"], each["problems"]) == ("on", []), each
        assert host.asked == [] and status.read_text() == "on"


async def test_what_is_misspelt_is_said_before_it_is_needed(tmp_path: Path) -> None:
    async with hosts(tmp_path, "n1") as farm:
        with_fences(farm, "{agent: fence_apc, options: {ip: 127.0.0.1, usrename: u}}")
        await farm.found()
        farm.start("n1")
        await farm.until_up("n1")
        said = await farm.vmsg("node", "fence", "n1", "--test")
        assert said.code != 0
        assert "no parameter usrename" in said.out + said.err
        assert "needs the parameter plug" in said.out + said.err
        assert "ipaddr" not in said.out + said.err
