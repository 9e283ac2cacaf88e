"""Guests as processes, and what happens to them in a move."""

from tests.mutants.mutant import Mutant

DEPARTURE = "tests/scenarios/test_departure.py::"
STANDING = "tests/scenarios/test_standing.py::"
RELEASE = "tests/scenarios/test_release.py::"
STUCK = "tests/scenarios/test_stuck.py::"

MUTANTS = [
    Mutant(
        "packages/vm/qemu/reattaching.py",
        "                if bridge in anew and _put_back(tap, bridge)]\n",
        "                if _put_back(tap, bridge)]\n",
        ("tests/live/test_reattaching.py::"
         "test_a_tap_is_put_back_into_a_bridge_that_was_made_again",)),
    Mutant(
        "packages/agent.py",
        "            return unguarded or await identity.verified(",
        "            return await identity.verified(",
        (DEPARTURE + "test_a_guest_that_nobody_would_guard_never_runs",)),
    Mutant(
        "packages/agent.py",
        "        if guest is None:\n            if not self.around.may_run():\n",
        "        if guest is None:\n            if False:\n",
        (DEPARTURE + "test_no_guest_is_made_without_a_lease",)),
    Mutant(
        "packages/source_side.py",
        "            self._suspend()\n",
        "            pass\n",
        (DEPARTURE + "test_monitors_are_suspended_when_the_source_stands_for_its_switch",)),
    Mutant(
        "packages/departure.py",
        'if refused is not None and not (stage is not None and stage.stage == "frozen"):',
        "if False:",
        (DEPARTURE + "test_nothing_is_switched_before_the_record_knows_of_the_freeze",)),
    Mutant(
        "packages/departure.py",
        "        if not is_awaited:\n",
        "        if False:\n",
        (DEPARTURE + "test_nothing_is_switched_while_the_target_does_not_answer",)),
    Mutant(
        "packages/departure.py",
        '        if settled == "commit" and word != "ready":\n',
        "        if False:\n",
        (DEPARTURE + "test_nothing_is_committed_while_the_target_does_not_say_that_it_is_whole",)),
    Mutant(
        "packages/departure.py",
        'if observed.state == "postmigrate" and observed.migration == "completed":',
        'if observed.migration == "completed":',
        (DEPARTURE
         + "test_nothing_is_committed_before_the_source_has_given_everything_up",)),
    Mutant(
        "packages/departure.py",
        "        if self.switching and not await self._abort_agreed():\n",
        "        if False:\n",
        (DEPARTURE + "test_a_switch_that_was_ordered_is_called_off_only_when_that_is_agreed",)),
    Mutant(
        "packages/departure.py",
        "        if word in ARRIVED_ILL:\n",
        "        if False:\n",
        (STANDING + "test_a_failure_of_which_the_daemon_heard_nothing_is_not_carried_over",)),
    Mutant(
        "packages/departure.py",
        "        frozen_s = min(self.duty.spec.phase_timeouts.frozen_s, self._may_stand_s())\n",
        "        frozen_s = self.duty.spec.phase_timeouts.frozen_s\n",
        (STANDING + "test_a_switch_is_called_off_soon_when_the_target_hangs",)),
    Mutant(
        "packages/core/standing.py",
        'return STANDS.get(state, "ill")',
        'return STANDS.get(state, "switch")',
        (STANDING + "test_only_our_own_switch_is_one",)),
    Mutant(
        "packages/core/standing.py",
        'return state == "postmigrate" and migration in ("cancelled", "failed")',
        "return False",
        (STANDING + "test_only_our_own_switch_is_one",)),
    Mutant(
        "packages/arrival.py",
        "            return  # not called lost while it is there: the next look tries again\n",
        "",
        (STANDING + "test_a_copy_that_cannot_be_ended_is_not_called_lost",)),
    Mutant(
        "packages/arrival.py",
        "        if await self.around.driver.end_remains(self.duty.package) is not None:\n",
        "        if False:\n",
        (RELEASE
         + "test_a_target_that_forgot_its_guest_does_not_give_it_back_while_it_is_there",)),
    Mutant(
        "packages/endings.py",
        "        if each.disks:\n",
        "        if False:\n",
        (RELEASE + "test_a_package_is_not_released_while_another_hypervisor_has_its_disk_open",)),
    Mutant(
        "packages/stuck.py",
        "        if self._in_vain < LIMIT:\n",
        "        if True:\n",
        (STUCK + "test_a_start_that_raises_again_and_again_is_one_that_fails",)),
    Mutant(
        "packages/stuck.py",
        "        if isinstance(duty, Start | Thaw):\n",
        "        if isinstance(duty, Start):\n",
        (STUCK + "test_a_thaw_that_raises_again_and_again_is_one_that_fails",)),
    Mutant(
        "packages/vm/processes.py",
        "    poll = select.poll()\n    poll.register(pidfd, select.POLLIN)\n"
        "    return bool(poll.poll(0))\n",
        "    return bool(select.select([pidfd], [], [], 0)[0])\n",
        ("tests/core/test_processes.py",)),
]
