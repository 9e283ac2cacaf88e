"""What packages may name of a host, and what stands before its use."""

from tests.mutants.mutant import Mutant

ALLOWED = "tests/core/test_allowed.py::"
VETTING = "tests/core/test_vetting.py::"
LOOKED_AT = "tests/scenarios/test_only_looked_at.py::"
COMMAND_LINE = "tests/core/test_qemu_command_line.py::"

MUTANTS = [
    Mutant(
        "packages/core/allowed.py",
        "return posixpath.normpath(path) == path and any(",
        "return any(",
        (ALLOWED + "test_what_is_not_named_may_not", ALLOWED
         + "test_no_folder_holds_what_is_beside_it")),
    Mutant(
        "packages/core/allowed.py",
        'path.startswith(folder.rstrip("/") + "/") for folder in folders)',
        "path.startswith(folder) for folder in folders)",
        (ALLOWED + "test_what_is_not_named_may_not",)),
    Mutant(
        "packages/core/allowed.py",
        "return len(words) == len(command) and words[:-1] == tuple(first) and (",
        "return words[:len(first)] == tuple(first) and (",
        (ALLOWED + "test_what_is_not_named_may_not",)),
    Mutant(
        "packages/core/allowed.py",
        'yield spec.fence.command, "the fence\'s command"',
        "pass",
        (ALLOWED + "test_every_program_of_a_package_is_asked_about",)),
    Mutant(
        "packages/core/allowed.py",
        'not path.startswith("/dev/") or DRIVE.fullmatch(path) is not None)',
        "True)",
        (ALLOWED + "test_devices_are_a_closed_list",)),
    Mutant(
        "packages/core/allowed.py",
        "return words in OF_QEMU or any(each.fullmatch(words) for each in (USB, PCI))",
        "return words.startswith(OF_QEMU) or any(each.match(words) for each in (USB, PCI))",
        (ALLOWED + "test_devices_are_a_closed_list",)),
    Mutant(
        "packages/vm/qemu/command_line.py",
        "elif device in OF_QEMU:",
        "else:",
        (COMMAND_LINE + "test_what_is_no_device_of_ours_reaches_no_argument",)),
    Mutant(
        "packages/vm/qemu/command_line.py",
        "*(SANDBOX_OF_ANOTHER if launch.becomes else SANDBOX), *launch.becomes,",
        "*launch.becomes,",
        (COMMAND_LINE + "test_a_hypervisor_starts_nothing_and_becomes_nobody",)),
    Mutant(
        "packages/vm/qemu/command_line.py",
        "*(SANDBOX_OF_ANOTHER if launch.becomes else SANDBOX), *launch.becomes,",
        "*(SANDBOX_OF_ANOTHER if launch.becomes else SANDBOX),",
        (COMMAND_LINE + "test_one_that_becomes_another_account_may_do_that_and_no_more",)),
    Mutant(
        "packages/vm/qemu/lives.py",
        "await option_to_become(order.account) if order.account is not None else ()",
        "()",
        ("tests/live/test_qemu_driver.py::test_a_hypervisor_is_nobody_on_its_host",)),
    Mutant(
        "packages/accounts.py",
        "    if not found.uid or not found.gid:",
        "    if False:",
        ("tests/contracts/test_check_contract.py::"
         "test_a_program_has_the_rights_of_its_account_and_no_others",)),
    Mutant(
        "packages/monitors/program.py",
        '"user": account.uid, "group": account.gid, "extra_groups": []}',
        '"user": account.uid, "extra_groups": []}',
        ("tests/contracts/test_check_contract.py::"
         "test_a_program_has_the_rights_of_its_account_and_no_others",)),
    Mutant(
        "packages/vetting.py",
        "if programs is not None and not may_be_started(programs, words):",
        "if False:",
        (VETTING + "test_the_file_is_looked_at_each_time",)),
    Mutant(
        "packages/vetting.py",
        "return why_foreign(words[0])",
        "return None",
        (VETTING + "test_what_others_can_change_is_not",)),
    Mutant(
        "packages/vetting.py",
        "if seen.st_uid not in (0, os.geteuid()):",
        "if False:",
        (VETTING + "test_what_others_can_change_is_not",)),
    Mutant(
        "packages/vetting.py",
        "if seen.st_mode & WRITABLE_BY_OTHERS and not is_kept:",
        "if is_last and seen.st_mode & WRITABLE_BY_OTHERS:",
        (VETTING + "test_what_others_can_change_is_not",)),
    Mutant(
        "packages/vetting.py",
        'left, at = [*target.split("/")[1:], *left], "/"',
        'at = "/".join([target.rsplit("/", 1)[0], ""])',
        (VETTING + "test_a_link_is_followed_into_what_others_can_change",)),
    Mutant(
        "packages/vetting.py",
        "if is_public and not seen.st_mode & (stat.S_IXOTH if is_folder else stat.S_IROTH):",
        "if False:",
        (VETTING + "test_qemu_opens_what_everybody_may_read_or_what_a_full_admin_named",)),
    Mutant(
        "packages/vetting.py",
        "if not is_device(device) or is_drive(cd_of(device)) and not _is_cd(cd_of(device)):",
        "if not is_device(device):",
        (VETTING + "test_a_guest_gets_no_device_that_is_not_what_it_is_called",)),
    Mutant(
        "packages/monitors/program.py",
        "refused = self._vetting.against_program(self._argv)",
        "refused = None",
        ("tests/contracts/test_check_contract.py::test_a_program_that_is_refused_is_not_started",)),
    Mutant(
        "packages/monitors/runner.py",
        "if found is not None and found.code in NO_WORD:",
        "if False:",
        ("tests/contracts/test_check_contract.py::test_no_guest_pays_for_a_check_that_was_not_made",
         )),
    Mutant(
        "packages/monitors/means.py",
        "failure.errno not in NO_MEANS",
        "failure.errno",
        ("tests/contracts/test_check_contract.py::"
         "test_a_check_that_there_is_no_descriptor_for_says_nothing_of_the_guest",)),
    Mutant(
        "packages/fencing/fences.py",
        "return await asyncio.to_thread(self._vetting.against_program, fence.command)",
        "return None",
        ("tests/contracts/test_fence_tools.py::"
         "test_a_fences_command_is_vetted_at_each_step",)),
    Mutant(
        "cluster/answers/survey.py",
        "fences = {path: fence for path, fence in fences.items() if (path, fence) in known}",
        "pass",
        (LOOKED_AT + "test_a_node_asks_no_fence_for_another_node_that_the_record_has_not",)),
    Mutant(
        "cluster/answers/survey.py",
        "known = fences_in(self.ledger.state)",
        "known = {(each, fences.get(each)) for each, _ in fences_in(self.ledger.state)}",
        (LOOKED_AT + "test_a_node_asks_no_fence_for_another_node_that_the_record_has_not",)),
    Mutant(
        "cluster/answers/apply_survey.py",
        "if all(each in self._fences for each in fences_of(spec).items()):",
        "if True:",
        (LOOKED_AT + "test_a_fence_is_asked_only_once_it_is_in_the_record",)),
    Mutant(
        "cluster/answers/package_files.py",
        "problems += await _of_fences(desk, unasked)",
        "pass",
        (LOOKED_AT + "test_a_fence_that_cannot_is_told_of_as_soon_as_it_may_be_asked",)),
    Mutant(
        "cluster/answers/package_files.py",
        "problems += against_spec(desk, caller, spec)",
        "pass",
        (LOOKED_AT + "test_a_program_that_is_not_allowed_is_not_taken",)),
    Mutant(
        "cluster/answers/package_files.py",
        "return found + ([refused_devices(caller, spec.name, given)] if given and not may_give(",
        "return found + ([refused_devices(caller, spec.name, given)] if False and not may_give(",
        (LOOKED_AT + "test_what_a_host_loses_is_a_full_admins_to_give",)),
    Mutant(
        "cluster/api/roles.py",
        'ask.CheckPackages: "package-admin",',
        'ask.CheckPackages: "monitor",',
        (LOOKED_AT + "test_to_have_a_text_checked_takes_the_role_that_may_apply_it",)),
    Mutant(
        "cluster/answers/questions.py",
        '"problems": plain_list(told_to(problems, may_change=may_change(caller))),',
        '"problems": plain_list(problems),',
        (LOOKED_AT + "test_who_may_only_look_is_told_nothing_of_a_hosts_processes",)),
    Mutant(
        "cluster/api/roles.py",
        "return None if least in OF_NODES else node_gives_no_orders(caller)",
        "return None",
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
    Mutant(
        "cluster/api/roles.py",
        "if caller.is_node and isinstance(request, ask.AddOperator) and request.proof:",
        "if caller.is_node and isinstance(request, ask.AddOperator):",
        ("tests/commands/test_api.py::test_a_role_allows_what_it_names",)),
    Mutant(
        "cluster/answers/trust.py",
        "if caller.is_node and not _is_authoritys(desk, ask):",
        "if False:",
        (LOOKED_AT
         + "test_a_nodes_key_lets_an_operator_in_only_with_the_authoritys_word",)),
    Mutant(
        "cluster/answers/trust.py",
        "return age_ms <= PROOF_MS and desk.keyring.host.is_authoritys(words_of(ask), ask.proof)",
        "return desk.keyring.host.is_authoritys(words_of(ask), ask.proof)",
        (LOOKED_AT
         + "test_a_nodes_key_lets_an_operator_in_only_with_the_authoritys_word",)),
    Mutant(
        "cluster/config/certificates.py",
        "    except (InvalidSignature, *UNREADABLE):\n        return False\n    return True",
        "    except (InvalidSignature, *UNREADABLE):\n        return True\n    return True",
        ("tests/core/test_keys.py::"
         "test_the_authority_signs_words_and_a_certificate_is_none",)),
    Mutant(
        "packages/vetting.py",
        "if is_public and is_below(at, OF_THE_KERNEL):",
        "if False:",
        (VETTING + "test_qemu_opens_what_everybody_may_read_or_what_a_full_admin_named",)),
    Mutant(
        "cluster/answers/belonging.py",
        "is_new = (config.programs, config.images, config.accounts) != (None, None, Accounts())",
        "is_new = config.programs is not None",
        (LOOKED_AT + "test_words_of_the_cluster_file_wait_for_who_does_not_know_them",)),
    Mutant(
        "cluster/answers/belonging.py",
        "lost = allowing.problems(desk.ledger.state, allowed_by(config))",
        "lost: list[Problem] = []",
        (LOOKED_AT + "test_a_full_admin_allows_a_program_with_the_cluster_file",)),
]
