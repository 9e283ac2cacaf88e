"""When a relay counts its peer dead: closing the channel lets a source that waits at the switch
run on by itself, while the target may hold the whole memory."""

from cluster.config.schema import PROFILES
from packages.vm import relay


def test_a_source_that_was_cut_off_is_frozen_before_its_channel_is_closed() -> None:
    """Whoever loses cable and record at once must not run on between the two: the target, which
    claims the package when the source is called dead, would continue an older memory."""
    keepalive_s = relay.KEEPALIVE_IDLE_S + relay.KEEPALIVE_INTERVAL_S * relay.KEEPALIVE_PROBES
    for timings in PROFILES.values():
        assert min(keepalive_s, relay.DEAD_PEER_MS / 1000) > timings.lease_s + timings.margin_s
