"""What our table of processor models says is what the QEMU there is says."""

import asyncio

import pytest
from qemu.qmp import QMPClient

from packages.core.cpu_models import MODELS, cpuinfo_name
from packages.vm.processes import Process, spawn

pytestmark = pytest.mark.live

NOT_COMPARED = frozenset("""
    hypervisor monitor ibrs rdctl_no ibrs_all mds_no taa_no pschange_mc_no skip_l1dfl_vmentry
""".split())
"""The first is QEMU's own, the second KVM never passes on, IBRS comes with a variant's name, and
the rest are bits of a register that /proc/cpuinfo does not list."""

WITHIN_S = 60.0


async def test_no_feature_of_a_model_is_missed(tmp_path) -> None:
    # It comes to us: that a socket's path is there does not say that anybody listens yet.
    client, path = QMPClient("models"), str(tmp_path / "qmp")
    await client.start_server(path)
    qemu = spawn([
        "qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-accel", "tcg",
        "-qmp", f"unix:{path}",
    ], files={})
    assert isinstance(qemu, Process), qemu
    try:
        async with asyncio.timeout(WITHIN_S):
            await client.accept()
        known = {each["name"] for each in await client.execute("query-cpu-definitions")}
        for model in sorted(known & set(MODELS)):
            answer = await client.execute(
                "query-cpu-model-expansion", {"type": "static", "model": {"name": model}})
            features = {
                cpuinfo_name(name) for name, value in answer["model"]["props"].items()
                if value is True
            }
            assert not features - MODELS[model] - NOT_COMPARED, model
        assert len(known & set(MODELS)) > 10
    finally:
        await client.disconnect()
        await qemu.kill(10.0)
        qemu.close()
