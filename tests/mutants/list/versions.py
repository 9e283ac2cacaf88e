"""Two versions in one cluster: nothing the older one does not know, and its rules till then."""

from tests.mutants.mutant import Mutant

TWO = "tests/core/test_two_versions.py::"
SAME = (TWO + "test_both_codes_make_the_same_of_a_log",)
UPGRADED = (TWO + "test_who_is_upgraded_from_the_older_codes_snapshot_goes_on_as_the_others",)
INDEX = (TWO + "test_the_index_of_disks_is_the_same_however_it_came_about",)

MUTANTS = [
    Mutant(
        "cluster/core/machine.py",
        "        if unknown is not None:  # an older",
        "        if False:  # an older",
        (TWO + "test_a_kind_an_older_node_cannot_read_leaves_no_trace",)),
    Mutant("cluster/core/apply.py", "    entry = as_all_know(state, entry)\n", "", SAME),
    Mutant(
        "cluster/core/floor.py",
        "    return tuple(changed(each, stuck=False) for each in sightings if not each.unasked)\n",
        "    return sightings\n",
        (TWO + "test_what_an_older_node_would_not_see_in_an_entry_is_not_in_it",)),
    Mutant(
        "cluster/core/floor.py",
        "**{**STAMPS, **FIELDS.get(type(entry), {})}",
        "**FIELDS.get(type(entry), {})",
        (TWO + "test_what_an_older_node_would_not_see_in_an_entry_is_not_in_it",)),
    Mutant(
        "cluster/core/floor.py",
        "entries.RecordRestored: V0_2, ",
        "",
        (TWO + "test_every_kind_and_field_that_is_new_has_its_version",)),
    Mutant(
        "cluster/core/floor.py",
        '"host_boot": "", ',
        "",
        (TWO + "test_every_kind_and_field_that_is_new_has_its_version",)),
    Mutant(
        "cluster/core/agreed_time.py",
        "        return changed(state, time_ms=entry.at_ms)\n",
        "        pass\n",
        SAME),
    Mutant(
        "cluster/core/agreed_time.py",
        "        return until_ms\n",
        "        pass\n",
        UPGRADED + SAME),
    Mutant(
        "cluster/core/membership.py",
        "    is_counted = is_counted or not floor_allows(state, V0_2)\n",
        "    is_counted = is_counted\n",
        SAME),
    Mutant(
        "cluster/core/membership.py",
        "entry.term == state.coordinator_term and entry.lease is not None and not state.leases",
        "False",
        (TWO + "test_the_coordinator_says_its_numbers_when_all_can_read_them",)),
    Mutant(
        "cluster/core/moves.py",
        "    if is_earlier:\n        return with_package(state, _without_owner(\n",
        "    if False:\n        return with_package(state, _without_owner(\n",
        SAME),
    Mutant(
        "cluster/core/suspensions.py",
        "    return (*lifted(record.holds, new.kind, new.node), "
        'changed(new, id="", restores=True))\n',
        "    return joined(record.holds, new)\n",
        SAME),
    Mutant(
        "cluster/core/suspensions.py",
        "        return changed(record, auto_run=False)\n",
        "        pass\n",
        UPGRADED),
    Mutant(
        "cluster/core/suspensions.py",
        "    if not floor_allows(state, V0_2) or (\n            not any(",
        "    if (\n            not any(",
        SAME),
    Mutant(
        "cluster/core/runs.py",
        "    if refused is None and floor_allows(state, V0_2):\n",
        "    if refused is None:\n",
        SAME),
    Mutant(
        "cluster/core/runs.py",
        "    if is_earlier:  # counted now, and not when it is over\n",
        "    if False:  # counted now, and not when it is over\n",
        SAME),
    Mutant(
        "cluster/core/runs.py",
        "    if is_suspended(record) and not is_earlier:\n",
        "    if is_suspended(record):\n",
        SAME),
    Mutant(
        "cluster/core/runs.py",
        'if record.state in ("halting", "halted") and not floor_allows(state, V0_2):',
        "if False:",
        SAME),
    Mutant(
        "cluster/core/outcomes.py",
        "        at_ms=state.time_ms if entry.time_ms else 0, said=said(entry)))\n",
        "        at_ms=state.time_ms, said=said(entry)))\n",
        SAME),
    Mutant(
        "cluster/core/claims.py",
        "index = index.set(key, min(name, index.get(key, name)))",
        "index = index.set(key, name)",
        INDEX),
    Mutant(
        "cluster/core/claims.py",
        "index = index.set(key, min(left)) if left else index.delete(key)",
        "index = index.delete(key)",
        INDEX),
    Mutant(
        "cluster/nodes/granting.py",
        "        if state.coordinator_term == term and not lacks_numbers:\n",
        "        if state.coordinator_term == term:\n",
        ("tests/core/test_landlord.py::"
         "test_its_numbers_are_said_as_soon_as_every_node_can_read_them",)),
]
