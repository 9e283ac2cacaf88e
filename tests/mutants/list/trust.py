"""Who comes in, whose key opens, who votes: cluster/core/admission.py, trust.py, members.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/core/admission.py",
        "    if invitation.used:\n",
        "    if False:\n",
        ("tests/core/test_admission.py::"
         "test_an_invitation_lets_in_one_and_answers_that_one_again",)),
    Mutant(
        "cluster/core/admission.py",
        "if entry.until_ms <= entry.at_ms:",
        "if False:",
        ("tests/core/test_admission.py::test_what_is_no_invitation",)),
    Mutant(
        "cluster/core/admission.py",
        "    if state.trust.nodes:\n"
        '        return refusals.stale_order("cluster"',
        "    if False:\n"
        '        return refusals.stale_order("cluster"',
        ("tests/core/test_admission.py::test_keys_are_formed_once_and_nothing_is_done_before",)),
    Mutant(
        "cluster/core/admission.py",
        "if entry.at_ms >= invitation.until_ms:",
        "if False:",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/admission.py",
        "if state.trust.node(entry.node) is not None and record.incarnation:",
        "if False:",
        ("tests/core/test_admission.py::"
         "test_an_invitation_ends_with_the_next_and_with_the_node_taking_part",)),
    Mutant(
        "cluster/core/admission.py",
        "if invitation is None or invitation.node != entry.node:",
        "if invitation is None:",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/admission.py",
        "if entry.key == entry.operator_key or trust.is_known(entry.key) or trust.is_known(",
        "if trust.is_known(entry.key) or trust.is_known(",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/admission.py",
        'if all(each.role != "full-admin" for each in trust.operators):',
        "if False:",
        ("tests/core/test_admission.py::"
         "test_operators_come_and_go_but_never_the_last_who_may_do_everything",)),
    Mutant(
        "cluster/core/admission.py",
        "if keys is None or not keys.next_key or keys.rotation != entry.rotation:",
        "if keys is None or not keys.next_key:",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_an_order_to_change_keys_is_answered_by_its_own_name",)),
    Mutant(
        "cluster/core/admission.py",
        "if keys is None or not keys.rotation or keys.rotation != entry.rotation:",
        "if keys is None or not keys.rotation:",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_an_order_to_change_keys_is_answered_by_its_own_name",)),
    Mutant(
        "cluster/core/members.py",
        "if len(added) + len(gone) > 1:",
        "if False:",
        ("tests/core/test_members_rules.py::test_two_changes_are_refused_whichever_way",)),
    Mutant(
        "cluster/core/members.py",
        "if packages_of(state, name):\n"
        "            return",
        "if False:\n"
        "            return",
        ("tests/core/test_members_rules.py::test_a_node_that_holds_a_package_stays",)),
    Mutant(
        "cluster/core/members.py",
        "if old is not None and old.is_witness != member.is_witness:",
        "if False:",
        ("tests/core/test_members_rules.py::test_address_and_role_of_a_member_stay",)),
    Mutant(
        "cluster/core/members.py",
        "if (added or gone) and not is_settled(state):",
        "if False:",
        ("tests/core/test_members_rules.py::test_one_node_comes_in",)),
    Mutant(
        "cluster/core/members.py",
        "if _is_last_admin(state.trust, name):",
        "if False:",
        ("tests/core/test_members_rules.py::test_the_last_admin_does_not_go_with_a_node",)),
    Mutant(
        "cluster/core/members.py",
        "        if name not in names:\n"
        "            trust = without_node(trust, name)",
        "        if False:\n"
        "            trust = without_node(trust, name)",
        ("tests/core/test_members_rules.py::test_nothing_of_a_removed_node_opens_a_door",)),
    Mutant(
        "cluster/core/members.py",
        "if name in state.retired:\n"
        "            return",
        "if False:\n"
        "            return",
        ("tests/core/test_members_rules.py::test_a_removed_name_is_not_given_again",)),
    Mutant(
        "cluster/core/members.py",
        "if entry.supersedes and entry.supersedes != digest_of(state.config_text):",
        "if False:",
        ("tests/core/test_members_rules.py::test_a_file_made_from_an_older_one_is_refused",)),
    Mutant(
        "cluster/core/roles.py",
        'return record is not None and record.role != "follower"',
        "return record is not None",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_seven_vote_and_whoever_follows_goes_on_following_until_there_is_room",)),
    Mutant(
        "cluster/core/roles.py",
        "MOST_VOTERS = 7",
        "MOST_VOTERS = 8",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_seven_vote_and_whoever_follows_goes_on_following_until_there_is_room",)),
    Mutant(
        "cluster/core/trust.py",
        "or any(key == each.key for each in self.operators)",
        "or False",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/trust.py",
        "kept = tuple(each for each in trust.nodes if each.node != name)",
        "kept = trust.nodes",
        ("tests/core/test_admission.py::test_a_node_that_is_removed_leaves_no_key_behind",)),
    Mutant(
        "cluster/core/trust.py",
        "or any(key == each.key for each in self.invitations)",
        "or False",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/trust.py",
        "any(key in each.accepted for each in self.nodes)",
        "False",
        ("tests/core/test_admission.py::test_who_is_not_let_in",)),
    Mutant(
        "cluster/core/trust.py",
        "return tuple(key for key in (self.key, self.next_key) if key)",
        "return (self.key,)",
        ("tests/core/test_admission.py::"
         "test_both_keys_are_accepted_until_the_old_one_is_retired",)),
    Mutant(
        "cluster/core/trust.py",
        "trust = without_operator(without_invitation(trust, name), operator_of_host(name))",
        "trust = without_invitation(trust, name)",
        ("tests/core/test_rules_hold_of_nodes.py::test_nothing_of_a_removed_host_opens_a_door",)),
    Mutant(
        "cluster/core/trust.py",
        "if each.node != invitation.node and each.until_ms > now_ms",
        "if each.node != invitation.node",
        ("tests/core/test_rules_hold_of_nodes.py::"
         "test_an_invitation_whose_time_is_over_goes_with_the_next",)),
]
