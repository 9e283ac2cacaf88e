"""What may reach the engine, and what the engine may say: cluster/raft."""

from tests.mutants.mutant import Mutant

FILTERS = "cluster/raft/filters.py"
HOLES, VOTES = "tests/raft/test_holes.py", "tests/raft/test_votes.py"

MUTANTS = [
    Mutant(FILTERS, "if term != engine.term:  # hole 7: of another leadership", "if False:",
           (f"{HOLES}::test_an_acknowledgement_of_an_earlier_leadership_counts_nothing",)),
    Mutant(FILTERS, "if body.is_success and body.next_index > engine.last_index + 1:",
           "if False:", (f"{HOLES}::test_an_acknowledgement_beyond_the_log_is_dropped",)),
    Mutant(FILTERS, "if any(entry[1] != previous + 1 + at for at, entry in enumerate(entries)):",
           "if False:", (f"{HOLES}::test_a_gap_between_entries_is_dropped",)),
    Mutant(FILTERS, "if peer.name in self._votes[1]:  # hole 8",
           "if False:  # hole 8", (f"{VOTES}::test_a_vote_delivered_twice_is_one_vote",)),
]
