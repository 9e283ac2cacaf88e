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
    await _told(node, AGREEMENT_CUT if cut else "delete table inet agreement\n")


PAIR_CUT = """\
table inet pair {{
  chain leaving {{
    type filter hook output priority 0;
    ip daddr {peer} drop
  }}
  chain arriving {{
    type filter hook input priority 0;
    ip saddr {peer} drop
  }}
}}
"""

NARROW = """\
table inet narrow {
  chain leaving {
    type filter hook output priority 0;
    oifname "cl0" meta length > 1000 drop
  }
}
"""


async def cut_pair(node: NodePlan, peer: NodePlan, *, cut: bool) -> None:
    """Only what goes between these two, on the cluster network."""
    await _told(node, PAIR_CUT.format(peer=peer.address) if cut else "delete table inet pair\n")


async def narrow(node: NodePlan, *, cut: bool) -> None:
    """Packets above 1,000 bytes vanish on the cluster network."""
    await _told(node, NARROW if cut else "delete table inet narrow\n")


async def _told(node: NodePlan, order: str) -> None:
    outcome = await commands.run(
        "ip", "netns", "exec", node.netns, "nft", "-f", "-", text=order)
    assert isinstance(outcome, str), outcome
