"""Storage fences and their tools: packages/fencing, packages/access.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/fencing/fences.py",
        'return failed(disk.path, "the package has no fence")',
        "return None",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_package_without_a_fence_has_proven_nothing",)),
    Mutant(
        "packages/fencing/fences.py",
        "return next((each for each in done if each is not None), None)",
        "return done[0]",
        ("tests/contracts/test_fence_answers.py::"
         "test_one_disk_of_several_that_is_not_fenced_is_a_fence_that_failed",)),
    Mutant(
        "packages/access.py",
        "await give_up(around, spec, duty.epoch - 1)",
        "pass",
        ("tests/scenarios/test_fenced_agents.py::"
         "test_the_one_that_fenced_and_takes_over_is_on_the_list_once",)),
    Mutant(
        "packages/fencing/lio.py",
        'if said.status != 0 and "No such file" not in said.complaint:',
        "if False:",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_kernels_target_that_refuses_lets_nobody_in",)),
    Mutant(
        "packages/fencing/lio.py",
        '("rmdir", folder),',
        "",
        ("tests/contracts/test_fence_contract.py::"
         "test_after_the_fence_the_old_copy_cannot_write_and_the_new_owner_can[lio]",)),
    Mutant(
        "packages/fencing/lio.py",
        'open_to=("every initiator (generate_node_acls)",) * bool(anybody),',
        "open_to=(),",
        ("tests/contracts/test_fence_answers.py::"
         "test_how_a_kernels_target_says_who_is_let_in_and_connected",)),
    Mutant(
        "packages/fencing/lio.py",
        "for name in dict.fromkeys(name for name, _ in told) if name not in idle),",
        "for name in ()),",
        ("tests/contracts/test_fence_answers.py::"
         "test_how_a_kernels_target_says_who_is_let_in_and_connected",)),
    Mutant(
        "packages/fencing/tgt.py",
        "if said.status == 0 or any(words in said.complaint for words in IN_FORCE):",
        "if True:",
        ("tests/contracts/test_fence_answers.py::"
         "test_an_order_that_the_target_refuses_is_not_taken_for_done",)),
    Mutant(
        "packages/fencing/tgt.py",
        "if session.initiator == initiator:\n"
        "                refused = refused or",
        "if False:\n"
        "                refused = refused or",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_off_the_list_and_still_connected_is_cut_and_waited_for",)),
    Mutant(
        "packages/fencing/tgt.py",
        "open_to=tuple(name for name in names if not _is_initiator(name)),",
        "open_to=(),",
        ("tests/contracts/test_fence_answers.py::test_a_target_open_to_anybody_is_no_fence",)),
    Mutant(
        "packages/fencing/tgt.py",
        '"--mode", "target", "--op", "unbind", "--tid"',
        '"--mode", "target", "--op", "bind", "--tid"',
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_on_the_list_after_the_fence_can_write",)),
    Mutant(
        "packages/fencing/target_access.py",
        "return refused or await self._seen_closed(disk, by, deadline_s)",
        "return refused",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_on_the_list_after_the_fence_can_write",)),
    Mutant(
        "packages/fencing/target_access.py",
        "(*outlived(guard, by), *lingering)",
        "outlived(guard, by)",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_off_the_list_and_still_connected_is_cut_and_waited_for",)),
    Mutant(
        "packages/fencing/target_access.py",
        "if reason is None:\n"
        "                        return None",
        "if True:\n"
        "                        return None",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_on_the_list_after_the_fence_can_write",)),
    Mutant(
        "packages/fencing/target_access.py",
        "if each is not None and each not in allowed)",
        "if False)",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_off_the_list_and_still_connected_is_cut_and_waited_for",)),
    Mutant(
        "packages/fencing/target_access.py",
        "allowed = tuple(known for _, known in named if known is not None)",
        "allowed = ()",
        ("tests/contracts/test_fence_answers.py::"
         "test_who_is_on_the_list_after_the_fence_can_write",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "return await self._seen_closed(disk, by, deadline_s)",
        "return None",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_reservation_is_what_the_lun_shows_after_the_fence",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "if reason is None and by not in guard.registrants:",
        "if False:",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_reservation_is_what_the_lun_shows_after_the_fence",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "closed=TYPE_SAYS.lower() in held.lower(),",
        "closed=True,",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_reservation_is_what_the_lun_shows_after_the_fence",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "if said.status in (0, CONFLICT):\n"
        "                return None\n"
        '        return failed(disk.path, f"{shown',
        "if True:\n"
        "                return None\n"
        '        return failed(disk.path, f"{shown',
        ("tests/contracts/test_fence_answers.py::"
         "test_an_order_that_the_lun_refuses_is_not_taken_for_done",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "if not guard.closed or outlived(guard, by):",
        "if False:",
        ("tests/contracts/test_fence_contract.py::"
         "test_whoever_is_registered_writes_and_nobody_else[scsi]",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "return None if said.status == 0 else failed(disk.path, said.because)",
        "return None",
        ("tests/contracts/test_fence_answers.py::"
         "test_an_order_that_the_lun_refuses_is_not_taken_for_done",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        'if re.search(rf"{TYPE_SAYS}: 0", able.output):',
        "if False:",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_lun_that_does_not_know_the_kind_of_reservation_cannot_be_fenced",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        'return "mpathpersist" if is_multipath else "sg_persist"',
        'return "sg_persist"',
        ("tests/contracts/test_fence_answers.py::"
         "test_all_paths_of_a_multipath_device_are_reserved",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        'WAYS = ("--preempt-abort", "--preempt")',
        'WAYS = ("--preempt-abort",)',
        ("tests/contracts/test_fence_answers.py::"
         "test_a_lun_that_refuses_the_abort_is_asked_without_it",)),
    Mutant(
        "packages/fencing/scsi_reservation.py",
        "if said.status != UNIT_ATTENTION:\n"
        "                break\n"
        "        return said\n"
        "\n"
        "    async def _ask",
        "if True:\n"
        "                break\n"
        "        return said\n"
        "\n"
        "    async def _ask",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_lun_that_only_told_of_a_change_is_asked_again",)),
    Mutant(
        "packages/fencing/tools.py",
        'DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")',
        "DIES_WITH_US = ()",
        ("tests/contracts/test_fence_tools.py::test_a_tool_ends_with_the_daemon_that_ran_it",)),
    Mutant(
        "packages/fencing/tools.py",
        "        process.kill()",
        "        pass",
        ("tests/contracts/test_fence_tools.py::test_a_tool_that_hangs_is_ended",)),
    Mutant(
        "packages/fencing/tools.py",
        "async with asyncio.timeout(deadline_s):\n"
        "            output",
        "if True:\n"
        "            output",
        ("tests/contracts/test_fence_tools.py::test_a_tool_that_hangs_is_ended",)),
    Mutant(
        "packages/access.py",
        "    return refused is None\n",
        "    return True\n",
        ("tests/scenarios/test_fenced_agents.py::"
         "test_a_target_that_could_not_shut_its_source_out_does_so_when_it_can",)),
    Mutant(
        "packages/fencing/target_access.py",
        "if isinstance(guard, Problem):\n"
        "                        return guard",
        "if isinstance(guard, Problem):\n"
        "                        return None",
        ("tests/contracts/test_fence_answers.py::"
         "test_a_target_that_cannot_be_asked_afterwards_has_proven_nothing",)),
]
