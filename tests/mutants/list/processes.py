"""Which process is which guest, and what a lost one leaves: packages/vm, packages/worker.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/vm/qemu/lives.py",
        "if process and record.name in running_command_line(guest.pid):",
        "if process:",
        ("tests/live/test_qemu_driver.py::test_a_process_that_took_over_the_id_is_not_ours",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "made = await self._end_remains(spec.name) or await self._spawn(spec, order, taps)",
        "made = await self._spawn(spec, order, taps)",
        ("tests/contracts/test_driver_contract.py::"
         "test_no_life_begins_beside_one_that_nobody_holds",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "if (guest.epoch, guest.boot_id, guest.incoming) == wanted:",
        "if True:",
        ("tests/contracts/test_driver_contract.py::test_another_life_of_the_package_is_refused",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "is_counted or told[1] == self._run_folder:",
        "told[1] == self._run_folder:",
        ("tests/live/test_qemu_driver.py::"
         "test_a_daemon_with_another_run_folder_takes_up_its_nodes_guests",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "self._take_nameless()\n",
        "pass\n",
        ("tests/contracts/test_driver_contract.py::test_a_new_driver_takes_up_what_nobody_held",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "return (one.package, one.pid, one.start_ticks) == (other.package, other.pid, "
        "other.start_ticks)",
        "return one.package == other.package",
        ("tests/core/test_processes.py::test_another_process_is_another_life",)),
    Mutant(
        "packages/vm/processes.py",
        "if ticks is None or _has_ended(pidfd) and started is not None or started not in (\n"
        "                None, ticks):",
        "if ticks is None or _has_ended(pidfd) and started is not None:",
        ("tests/live/test_qemu_driver.py::test_a_process_that_took_over_the_id_is_not_ours",)),
    Mutant(
        "packages/vm/processes.py",
        "except (FileNotFoundError, ProcessLookupError):\n"
        "        return None\n\n\n"
        "def command_line",
        "except OSError:\n"
        "        return None\n\n\n"
        "def command_line",
        ("tests/core/test_processes.py::test_what_cannot_be_looked_at_is_not_gone",)),
    Mutant(
        "packages/vm/qemu/command_line.py",
        'file.locking={disk.locking}"',
        'file.locking=off"',
        ("tests/live/test_qemu_driver.py::"
         "test_a_disk_another_process_has_is_refused_in_qemus_words",)),
    Mutant(
        "packages/worker.py",
        "if not gives(state, self.around.node, guest.package, guest.epoch):",
        "if False:",
        ("tests/simulation/test_part_loss.py::"
         "test_a_daemon_that_comes_back_too_late_ends_what_it_finds_before_it_joins",)),
    Mutant(
        "packages/endings.py",
        "self.refused = await against_release(self._around, duty.spec)",
        "self.refused = None",
        ("tests/scenarios/test_release.py::"
         "test_a_package_is_not_released_while_another_hypervisor_has_its_disk_open",)),
    Mutant(
        "packages/worker.py",
        "except Exception as error:\n"
        '            log.error("%s runs',
        "except KeyError as error:\n"
        '            log.error("%s runs',
        ("tests/core/test_worker_freeze.py::test_what_cannot_be_stopped_lets_nobody_else_run_on",)),
]
