"""What nftables is told where something must not go through."""

AGREEMENT_CUT = """\
table inet agreement {
  chain arriving {
    type filter hook input priority 0;
    tcp dport 5470 drop
    tcp sport 5470 drop
  }
}
"""
