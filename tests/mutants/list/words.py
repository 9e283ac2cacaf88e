"""An operator's word that a node is off: cluster/core/words.py and who carries it out."""

from tests.mutants.mutant import Mutant

WORDS = "tests/core/test_words.py"

MUTANTS = [
    Mutant(
        "cluster/core/coordinator.py",
        "elif name in known.over and name in known.suspected:",
        "elif name in known.suspected:",
        (f"{WORDS}::test_the_word_is_recorded_at_once_and_frees_nothing_while_a_lease_may_be_good",
         )),
    Mutant(
        "cluster/core/coordinator.py",
        "elif name in known.over and name in known.suspected:",
        "elif name in known.over:",
        (f"{WORDS}::"
         "test_a_node_that_stood_apart_while_the_coordinator_itself_did_is_not_called_dead",)),
    Mutant(
        "cluster/core/coordinator.py",
        "if name in known.heard or not is_waited_for:",
        "if not is_waited_for:",
        (f"{WORDS}::test_it_is_taken_back_when_the_node_is_heard",)),
    Mutant(
        "cluster/core/coordinator.py",
        "node=name, incarnation=node.incarnation, term=known.term,\n"
        "                proof=Proof(kind=\"operator\"",
        "node=name, incarnation=node.incarnation,\n"
        "                proof=Proof(kind=\"operator\"",
        (f"{WORDS}::test_the_next_coordinator_goes_on_with_it",)),
    Mutant(
        "cluster/core/membership.py",
        "word=None, host_boot=entry.host_boot or node.host_boot,",
        "host_boot=entry.host_boot or node.host_boot,",
        (f"{WORDS}::test_another_life_takes_it_back_as_well",)),
    Mutant(
        "cluster/core/words.py",
        'if node.incarnation != entry.incarnation or not may_be_lost(state, node, "operator"):',
        'if not may_be_lost(state, node, "operator"):',
        (f"{WORDS}::test_another_life_takes_it_back_as_well",)),
    Mutant(
        "cluster/core/words.py",
        "if node.word is None or node.word.id != entry.word:",
        "if node.word is None:",
        (f"{WORDS}::test_an_answer_that_takes_back_names_its_word",)),
    Mutant(
        "cluster/nodes/granting.py",
        "self.silences().items() if left_s <= 0)",
        "self.silences().items())",
        ("tests/core/test_landlord.py::"
         "test_a_lease_is_known_to_be_over_only_when_all_that_was_granted_is",)),
    Mutant(
        "cluster/nodes/granting.py",
        'return record.state == "failed" and record.proof is not None and (\n'
        '        record.proof.kind != "operator")',
        'return record.state == "failed" and record.proof is not None',
        ("tests/core/test_landlord.py::"
         "test_a_node_proven_dead_has_no_lease_whoever_coordinates",)),
    Mutant(
        "cluster/answers/deaths.py",
        "*([words.left_alone(ask.node, alone)] if alone else []),",
        "",
        ("tests/scenarios/test_words.py"
         "::test_of_a_node_with_a_guest_that_no_lease_stops_it_wants_a_yes",)),
]
