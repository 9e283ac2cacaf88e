"""Monitors without a way to what they ask."""

from tests.mutants.mutant import Mutant

WAY = "tests/live/test_monitors.py::test_a_host_without_a_route_to_the_guest_has_not_asked_it"

MUTANTS = [
    Mutant(
        "packages/monitors/routes.py",
        "    if failure.errno not in NO_WAY or has_route(host, int(port)):\n",
        "    if failure.errno not in NO_WAY:\n",
        ("tests/live/test_monitors.py::test_a_guest_that_is_silent_behind_a_route_was_asked",)),
    Mutant(
        "packages/monitors/tcp.py",
        "            return unasked or self._refused(str(failure))\n",
        "            return self._refused(str(failure))\n", (WAY,)),
    Mutant(
        "packages/monitors/runner.py",
        'NO_WORD = frozenset({"program-not-allowed", "check-not-made"})\n',
        'NO_WORD = frozenset({"program-not-allowed"})\n',
        ("tests/live/test_monitor_runner.py::"
         "test_a_check_that_could_not_be_made_says_nothing_of_the_guest",)),
    Mutant(
        "cluster/core/truth.py",
        "    gone = any(node == record.owner and not each.unasked for node, each in seen) and (\n",
        "    gone = any(node == record.owner for node, each in seen) and (\n",
        ("tests/core/test_truth.py::"
         "test_a_guest_that_a_monitor_has_no_way_to_is_up_and_said_to_be_unasked",)),
    Mutant(
        "cluster/core/floor.py",
        "    return tuple(changed(each, stuck=False) for each in sightings if not each.unasked)\n",
        "    return tuple(changed(each, stuck=False) for each in sightings)\n",
        ("tests/core/test_two_versions.py::"
         "test_what_an_older_node_would_not_see_in_an_entry_is_not_in_it",)),
]
