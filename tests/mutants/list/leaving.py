"""Hosts that go down in order."""

from tests.mutants.mutant import Mutant

CORE = "tests/core/test_leaving.py::"
STORIES = "tests/simulation/test_leave.py::"
SITE = STORIES + (
    "test_a_site_that_goes_down_in_order_shuts_its_guests_down_and_starts_them_in_order")
FILE = "cluster/core/leaving.py"

MUTANTS = [
    Mutant(
        FILE, "            if late or record.name not in awaited:\n",
        "            if True:\n",
        (CORE + "test_dependents_end_first_wherever_they_are_but_not_for_ever",)),
    Mutant(
        FILE,
        "        return not leavers(state) or _are_enough(state, _staying(state, name))\n",
        "        return True\n", (SITE,)),
    Mutant(
        "cluster/answers/leaving.py",
        "        return may_end(state, ask.node) and not (patient and costs_majority(state, "
        "ask.node))\n",
        "        return may_end(state, ask.node)\n",
        (STORIES + "test_hosts_that_get_the_word_one_after_the_other_go_down_in_order_too",)),
    Mutant(
        FILE, '        return with_package(state, changed(record, state="failing", '
        "blameless=True))\n",
        '        return with_package(state, changed(record, state="failing"))\n',
        (CORE + "test_what_is_not_to_move_is_let_down_at_once",)),
    Mutant(
        FILE, "        halt_within_s=max(1.0, min(record.spec.halt_timeout_s, left_s))))\n",
        "        halt_within_s=None))\n",
        (STORIES + "test_a_guest_that_does_not_hear_is_ended_in_time",)),
    Mutant(
        "cluster/core/membership.py",
        "    return left is not None and not (host_boot and left.host_boot == host_boot)\n",
        "    return left is not None\n",
        (CORE + "test_the_next_boot_brings_it_back_as_it_was",)),
    Mutant(
        "cluster/core/coordinator.py",
        '        if node.state == "draining" and not held and node.leave is None:\n',
        '        if node.state == "draining" and not held:\n',
        (STORIES + "test_a_host_that_goes_down_is_emptied_and_comes_back_by_itself",)),
    Mutant(
        "cluster/core/errands.py",
        '            if node.leave is not None and record.spec.shutdown_policy != "move":\n',
        "            if False:\n",
        (CORE + "test_what_is_not_to_move_is_not_moved_while_its_dependents_end",)),
    Mutant(
        "cluster/core/runs.py",
        "    blameless = entry.blameless or state.nodes[entry.node].leave is not None\n",
        "    blameless = entry.blameless\n",
        (CORE + "test_a_guest_that_fails_while_its_host_goes_down_has_not_failed",)),
    Mutant(
        "cluster/answers/leaving.py",
        "    names = await desk.worker.end_all() if ask.host_ends and ask.node == desk.node "
        "else []\n",
        "    names: list[str] = []\n",
        (STORIES + "test_a_host_that_is_alone_ends_what_stands_frozen",)),
    Mutant(
        "cluster/answers/leaving.py",
        "    return ask.node == desk.node and not desk.has_quorum() and not "
        "desk.worker.around.may_run()\n",
        "    return False\n",
        (STORIES + "test_others_that_are_lost_on_the_way_hold_nobody_up",)),
    Mutant(
        "cluster/api/roles.py",
        "    if caller.is_node and isinstance(request, ask.LeaveNode) and "
        "request.node == caller.name:\n",
        "    if caller.is_node and isinstance(request, ask.LeaveNode):\n",
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
]
