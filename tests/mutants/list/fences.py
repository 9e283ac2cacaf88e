"""Who may write to a disk: packages/core/fencing.py, packages/fencing, packages/access.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/access.py",
        "    refused = await fences.register(spec, around.node, duty.epoch)\n"
        "    refused = refused or await fences.fence(spec, around.node, duty.epoch)\n"
        "    because",
        "    refused = await fences.register(spec, around.node, duty.epoch)\n"
        "    because",
        ("tests/scenarios/test_fenced_agents.py::"
         "test_the_silent_owner_is_shut_out_before_the_package_is_free",)),
    Mutant(
        "packages/access.py",
        "return await around.fences.register(spec, around.node, epoch) if "
        "fenced_by(spec) else None",
        "return None",
        ("tests/scenarios/test_fenced_agents.py::"
         "test_a_move_leaves_the_target_alone_with_the_disks",)),
    Mutant(
        "packages/access.py",
        "refused = refused or await fences.fence(spec, around.node, duty.epoch)\n"
        "    if refused is None:",
        "if refused is None:",
        ("tests/scenarios/test_fenced_agents.py::"
         "test_a_guest_has_its_disks_from_its_start_to_its_end",)),
    Mutant(
        "packages/core/fencing.py",
        "if key >> 56 != _KEY_MARK:",
        "if False:",
        ("tests/core/test_fencing.py::"
         "test_a_key_of_a_node_that_was_removed_is_still_ours_and_a_strangers_is_not",)),
    Mutant(
        "packages/core/fencing.py",
        "    if not guard.closed:\n"
        '        return "the disk',
        "    if False:\n"
        '        return "the disk',
        ("tests/core/test_fencing.py::"
         "test_a_disk_is_closed_only_when_everybody_before_is_gone_with_their_connections",)),
    Mutant(
        "packages/core/fencing.py",
        "return each.node != by.node and each.epoch <= by.epoch",
        "return each.epoch <= by.epoch",
        ("tests/core/test_fencing.py::"
         "test_a_fence_never_names_the_one_it_is_for_nor_a_later_owner",)),
    Mutant(
        "packages/core/fencing.py",
        "    if left:\n",
        "    if False:\n",
        ("tests/core/test_fencing.py::"
         "test_a_disk_is_closed_only_when_everybody_before_is_gone_with_their_connections",)),
    Mutant(
        "packages/core/fencing.py",
        "if guard.foreign:",
        "if False:",
        ("tests/core/test_fencing.py::"
         "test_a_list_with_strangers_on_it_or_open_to_all_is_no_fence",)),
    Mutant(
        "packages/core/fencing.py",
        "return each.node != by.node and each.epoch <= by.epoch",
        "return each.node != by.node",
        ("tests/core/test_fencing.py::"
         "test_a_fence_never_names_the_one_it_is_for_nor_a_later_owner",)),
    Mutant(
        "packages/core/fencing.py",
        "(*guard.registrants, *guard.lingering)",
        "guard.registrants",
        ("tests/core/test_fencing.py::"
         "test_a_disk_is_closed_only_when_everybody_before_is_gone_with_their_connections",)),
    Mutant(
        "packages/core/fencing.py",
        "if found is None or not name.startswith(prefix):",
        "if found is None:",
        ("tests/core/test_fencing.py::"
         "test_a_key_of_a_node_that_was_removed_is_still_ours_and_a_strangers_is_not",)),
]
