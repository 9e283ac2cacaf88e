"""What a coordinator grants and concludes: cluster/nodes/granting.py, cluster/deaths.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/nodes/granting.py",
        "return max(book.dead_after_s(name), known_s + sum(self.counted(name)))",
        "return book.dead_after_s(name)",
        ("tests/core/test_landlord.py::test_a_node_that_is_to_run_again_has_its_time_to_ask",)),
    Mutant(
        "cluster/nodes/granting.py",
        "return max(book.dead_after_s(name), known_s + sum(self.counted(name)))",
        "return known_s + sum(self.counted(name))",
        ("tests/core/test_landlord.py::"
         "test_a_lease_is_known_to_be_over_only_when_all_that_was_granted_is",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if record.state not in UP and now_s < book.silent_since_s(name) + lease_s + margin_s:",
        "if False:",
        ("tests/core/test_landlord.py::"
         "test_a_dead_node_that_is_heard_is_not_dead_by_its_lease_again",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if record.state in UP or record.watchdog_s <= 0 or name == self._node:",
        "if record.state in UP:",
        ("tests/core/test_landlord.py::test_who_was_reset_had_a_watchdog_and_its_time",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if now_s >= over_s + record.watchdog_s:",
        "if now_s >= over_s:",
        ("tests/core/test_landlord.py::test_who_was_reset_had_a_watchdog_and_its_time",)),
    Mutant(
        "cluster/nodes/granting.py",
        "self._ledger.replica.earlier_until_s(),\n",
        "0.0,\n",
        ("tests/core/test_landlord.py::"
         "test_a_new_leader_counts_from_when_those_before_it_were_last_confirmed",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if now_s - at_s <= self.numbers.suspect_s\n"
        "        )\n"
        "\n"
        "    def arrived",
        "if at_s\n"
        "        )\n"
        "\n"
        "    def arrived",
        ("tests/core/test_landlord.py::"
         "test_a_lease_is_known_to_be_over_only_when_all_that_was_granted_is",)),
    Mutant(
        "cluster/nodes/granting.py",
        'record.proof.kind != "operator")',
        "True)",
        ("tests/core/test_landlord.py::test_a_node_proven_dead_has_no_lease_whoever_coordinates",)),
    Mutant(
        "cluster/nodes/granting.py",
        "self._book = book.stop_granting(death.node)",
        "pass",
        ("tests/core/test_landlord.py::"
         "test_from_its_death_being_proposed_on_a_node_is_granted_nothing",)),
    Mutant(
        "cluster/nodes/granting.py",
        'if refused.code != "timed-out":',
        "if True:",
        ("tests/core/test_landlord.py::test_a_node_whose_death_may_yet_be_applied_is_not",)),
    Mutant(
        "cluster/nodes/granting.py",
        "heard = book.heard_at_s.set(node, received_at_s)",
        "heard = book.heard_at_s",
        ("tests/core/test_landlord.py::test_whoever_asks_a_leader_without_a_majority_is_heard",)),
    Mutant(
        "cluster/nodes/granting.py",
        "book.earlier_until_s if followed else book.elected_at_s, self._awake_since_s)",
        "book.earlier_until_s if followed else book.elected_at_s)",
        ("tests/core/test_landlord.py::"
         "test_a_leader_that_was_out_of_touch_suspects_nobody_for_that_time",)),
    Mutant(
        "cluster/nodes/granting.py",
        "book.earlier_until_s if followed else book.elected_at_s, self._awake_since_s)",
        "book.earlier_until_s, self._awake_since_s)",
        ("tests/scenarios/test_power_fencing.py::"
         "test_a_new_coordinator_waits_before_it_suspects_but_for_the_one_it_followed",)),
    Mutant(
        "cluster/nodes/granting.py",
        "self._patience_s.get(name, 0.0))",
        "0.0)",
        ("tests/scenarios/test_power_fencing.py::"
         "test_a_node_whose_daemon_goes_away_on_purpose_has_its_lease",)),
    Mutant(
        "cluster/nodes/granting.py",
        "return refused is None and replica.is_leader() and replica.term() == term",
        "return True",
        ("tests/core/test_landlord.py::"
         "test_a_leader_whose_beginning_was_not_agreed_upon_has_not_begun",)),
    Mutant(
        "cluster/nodes/granting.py",
        "if not replica.is_leader():\n"
        "            # The book stays",
        "if False:\n"
        "            # The book stays",
        ("tests/core/test_landlord.py::"
         "test_a_leader_that_is_not_sure_of_its_majority_concludes_nothing",)),
    Mutant(
        "cluster/nodes/granting.py",
        "self._joined.pop(name, None)",
        "pass",
        ("tests/core/test_landlord.py::test_a_node_that_is_to_run_again_has_its_time_to_ask",)),
    Mutant(
        "cluster/nodes/granting.py",
        "margin_s = max((margin_s for _, margin_s in spans.values()), default=self._own.margin_s)",
        "margin_s = self._own.margin_s",
        ("tests/core/test_lease_numbers.py::"
         "test_a_node_that_has_taken_the_new_ones_is_counted_by_them",)),
    Mutant(
        "cluster/deaths.py",
        'if kind == "operator" and name in known.heard:',
        "if False:",
        ("tests/core/test_proof.py::test_nobody_is_called_dead_by_word_who_is_heard",)),
    Mutant(
        "cluster/deaths.py",
        "if not may_be_lost(state, node, kind):",
        "if False:",
        ("tests/core/test_proof.py::test_nobody_is_called_dead_by_word_who_is_heard",)),
    Mutant(
        "cluster/deaths.py",
        "self._landlord.stop(death)",
        "pass",
        ("tests/core/test_deaths.py::test_granting_ends_before_a_death_is_on_its_way",)),
    Mutant(
        "cluster/deaths.py",
        "| self._landlord.arrived() |",
        "|",
        ("tests/core/test_deaths.py::test_who_has_just_joined_is_heard",)),
    Mutant(
        "cluster/deaths.py",
        "or not self._landlord.settled():",
        "or False:",
        ("tests/core/test_deaths.py::"
         "test_a_coordinator_that_nobody_could_ask_yet_knows_nobody_silent",)),
    Mutant(
        "cluster/deaths.py",
        "if not self._ledger.replica.is_leader():\n"
        "            return no_quorum",
        "if False:\n"
        "            return no_quorum",
        ("tests/core/test_deaths.py::"
         "test_who_does_not_lead_declares_nothing_and_stops_granting_to_nobody",)),
    Mutant(
        "cluster/coordination.py",
        "if not self._ledger.replica.is_leader():\n"
        "                self._landlord",
        "if False:\n"
        "                self._landlord",
        ("tests/core/test_deaths.py::test_who_leads_no_longer_proposes_nothing_more",)),
]
