"""Which LUN a package's disk is: packages/core/disks.py, known_disks.py, identity.py."""

from tests.mutants.mutant import Mutant

DISKS, KNOWN = "packages/core/disks.py", "packages/core/known_disks.py"
WWID, IDENTITY = "packages/core/wwid.py", "packages/identity.py"
OF_DISKS, OF_KNOWN, OF_WWID, OF_AGENTS = (
    f"tests/{name}.py" for name in (
        "core/test_disks", "core/test_known_disks", "core/test_wwid",
        "scenarios/test_disk_identity"))

MUTANTS = [
    Mutant(DISKS, "if not here.identity or not there.identity:", "if False:",
           (f"{OF_WWID}::test_luns_without_wwid_and_serial_never_count_as_one",)),
    Mutant(WWID, "if not one.strip() or not other.strip():", "if False:",
           (f"{OF_WWID}::test_what_has_no_identity_is_never_the_same",)),
    Mutant(WWID, "    if not says_word:\n", "    if True:\n",
           (f"{OF_WWID}::test_forms_of_different_disks_differ",)),
    Mutant(KNOWN, "is_blind and known.node == node", "is_blind",
           (f"{OF_KNOWN}::test_what_is_not_provably_the_same_lun_is_another",)),
    Mutant(KNOWN, "seen.size_bytes > least and not is_blind", "True",
           (f"{OF_KNOWN}::test_what_is_not_provably_the_same_lun_is_another",)),
    Mutant(KNOWN, "if is_same and known.sector_bytes == seen.sector_bytes and (",
           "if is_same and (",
           (f"{OF_KNOWN}::test_what_is_not_provably_the_same_lun_is_another",)),
    Mutant(KNOWN, "if before is None or difference(before, facts, each.node) is None:",
           "if True:",
           (f"{OF_KNOWN}::test_another_lun_is_never_learnt_over_a_known_one",)),
    Mutant(KNOWN, "if opened is not None and opened.device == means.device:",
           "if opened is not None:",
           (f"{OF_AGENTS}::test_a_path_changed_while_the_disk_is_opened_never_runs",)),
    Mutant(DISKS, "disk_identity_differs, disk_is_another,", "disk_identity_differs,",
           ("tests/core/test_preflight.py::test_a_start_is_refused_on_another_lun",)),
    Mutant("packages/agent.py",
           "unguarded or await identity.verified(self.around, self.body, wanted.spec, guest)",
           "unguarded",
           (f"{OF_AGENTS}::test_a_known_disk_opened_as_another_never_runs",)),
    Mutant("packages/arrival.py",
           "await around.guarded() or await verified(around, body, duty.spec, body.guest)",
           "await around.guarded()",
           (f"{OF_AGENTS}::test_a_target_with_another_lun_is_never_given_memory",)),
    Mutant("cluster/core/runs.py", "if entry.new_disks and record.owner is not None:", "if False:",
           (f"{OF_KNOWN}::test_a_running_package_gets_no_other_disk",)),
    Mutant("cluster/core/mac_claims.py", "*mac_in_use(spec, claims, had)]", "]",
           ("tests/core/test_mac_addresses.py::"
            "test_two_applies_that_race_cannot_both_have_an_address",)),
    Mutant("cluster/core/mac_claims.py", "if set(macs(spec)) - set(had) else ()",
           "if False else ()",
           ("tests/core/test_mac_addresses.py::"
            "test_an_address_that_no_guest_may_have_is_refused_in_the_record_too",)),
    Mutant("cluster/core/fail_plan.py", "exclude=full | frozenset(unable)", "exclude=full",
           ("tests/core/test_fail_plan.py::test_a_node_that_could_not_start_it_is_not_promised",)),
    Mutant("packages/core/preflight_rules/host.py",
           "if target is None or not 0 < target.memory_total_mib < needed_mib:", "if True:",
           ("tests/core/test_preflight.py::"
            "test_what_a_host_could_never_run_is_said_when_it_is_applied",)),
    Mutant(
        "cluster/answers/resizing.py",
        "if each.path in there and there[each.path].size_bytes < each.size_bytes]",
        "if False]",
        ("tests/core/test_resizing.py::"
         "test_no_guest_is_told_that_could_start_on_a_smaller_disk",)),
    Mutant(
        "cluster/answers/resizing.py",
        "if path in known and 0 < known[path].size_bytes < seen.size_bytes)",
        "if path in known and known[path].size_bytes != seen.size_bytes)",
        ("tests/core/test_resizing.py::"
         "test_what_has_grown_is_what_the_owners_guest_has_open",)),
    Mutant(
        "cluster/core/runs.py",
        "(record.owner, record.epoch) != (entry.node, entry.epoch) or record.state != \"running\":",
        "False:",
        ("tests/core/test_resizing.py::"
         "test_nothing_is_recorded_of_another_life_or_another_disk",)),
]
