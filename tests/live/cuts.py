"""What nftables is told where something must not go through."""

from cluster.lab import commands
from cluster.lab.plan import NodePlan

AGREEMENT_CUT = """\
table inet agreement {
  chain arriving {
    type filter hook input priority 0;
    tcp dport 5470 drop
    tcp sport 5470 drop
  }
}
"""


async def cut_agreement(node: NodePlan, *, cut: bool) -> None:
    order = AGREEMENT_CUT if cut else "delete table inet agreement\n"
    outcome = await commands.run(
        "ip", "netns", "exec", node.netns, "nft", "-f", "-", text=order)
    assert isinstance(outcome, str), outcome
