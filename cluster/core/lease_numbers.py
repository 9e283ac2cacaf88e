"""The numbers that the proof by lease rests on, as the cluster has agreed upon them.

They stand in the record, and in each grant: two parties that read them from files of their own
would believe in two different proofs. What must never happen here: a number of this host.
"""

from packages.core.values import Value


class LeaseNumbers(Value):
    """All times in seconds; what each is for and why it is so large: `PROFILES`
    (cluster/config/schema.py), where an operator's choice of profile takes them from once."""

    heartbeat_s: float
    suspect_s: float
    lease_s: float
    margin_s: float
    kill_after_s: float
    profile: str = ""
    number: int = 0
    """Grows by one with each change; 0: not agreed upon yet."""
