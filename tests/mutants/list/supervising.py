"""What starts a daemon again, what its supervisor hears, and what befalls guests with it."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/exit_codes.py",
        "return FOR_A_PERSON if is_a_persons else AGAIN",
        "return FOR_A_PERSON",
        ("tests/core/test_exit_codes.py::test_what_may_pass_is_tried_again",)),
    Mutant(
        "cluster/exit_codes.py",
        "return FOR_A_PERSON if is_a_persons else AGAIN",
        "return AGAIN",
        ("tests/core/test_exit_codes.py::test_what_a_person_must_mend_is_not_started_again",)),
    Mutant(
        "cluster/late_address.py",
        "return failure.errno != errno.EADDRNOTAVAIL",
        "return True",
        ("tests/live/test_late_address_live.py",)),
    Mutant(
        "cluster/supervision.py",
        "if self.period_s and now_s - self._alive_s >= self.period_s / 4:",
        "if self.period_s:",
        ("tests/core/test_supervision.py::"
         "test_a_sign_of_life_is_given_four_times_a_period_at_most",)),
    Mutant(
        "cluster/supervision.py",
        "name: environment.pop(name) for name in ADDRESSED if name in environment}",
        "name: environment[name] for name in ADDRESSED if name in environment}",
        ("tests/core/test_supervision.py::"
         "test_what_asks_is_taken_away_and_kept_for_who_begins_anew",)),
    Mutant(
        "cluster/guardian.py",
        "        if self.write_down():\n",
        "        if self.write_down() or True:\n",
        ("tests/live/test_guardian_anew.py::"
         "test_without_room_for_its_record_it_stays_what_it_is",)),
    Mutant(
        "cluster/guardian.py",
        "if self.to_end.taken() == {signal.SIGHUP}:",
        "if not self.to_end.taken():",
        ("tests/live/test_guardian_anew.py::"
         "test_it_is_the_same_process_with_the_same_lease_and_guests",)),
    Mutant(
        "packages/vm/scopes.py",
        '["KillSignal", "i", str(int(signal.SIGKILL))],',
        '["KillSignal", "i", str(int(signal.SIGTERM))],',
        ("tests/core/test_scopes.py::test_it_is_a_scope_below_the_slice_that_ends_between_daemon_"
         "and_guardian_and_at_once",)),
    Mutant(
        "packages/vm/scopes.py",
        "        except TimeoutError:\n            because = f\"no answer",
        "        except ValueError:\n            because = f\"no answer",
        ("tests/core/test_scopes.py::test_what_is_not_done_is_said_and_stops_nobody",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "        await self._scopes.take(process.pid, spec.name)\n",
        "",
        ("tests/live/test_qemu_driver.py::test_each_guest_is_given_a_scope_when_it_is_started_and_"
         "when_it_is_taken_up",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "self._scopes.take(each.process.pid, name) for name, each in self._instances.items()",
        "self._scopes.take(each.process.pid, name) for name, each in ()",
        ("tests/live/test_qemu_driver.py::test_each_guest_is_given_a_scope_when_it_is_started_and_"
         "when_it_is_taken_up",)),
    Mutant(
        "packages/oom_score.py",
        '.read_text()) < 0:',
        '.read_text()) < 900:',
        ("tests/core/test_scopes.py::test_only_what_a_spared_daemon_starts_is_spared_no_more",)),
]
