"""When a failed check is a failed package: packages/core/health.py."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "packages/core/health.py",
        "if happening.at_s < health.grace_until_s and not certain:",
        "if False:",
        ("tests/core/test_health.py::test_in_the_grace_nothing_counts",)),
    Mutant(
        "packages/core/health.py",
        "return self._without({owner}, at_s) if owner in self.by_owner else self",
        "return self._without(set(self.by_owner), at_s)",
        ("tests/core/test_health.py::test_one_owner_does_not_end_anothers_suspension",)),
    Mutant(
        "packages/core/health.py",
        "grace_until_s=max(health.grace_until_s, happening.at_s + happening.grace_s),",
        "grace_until_s=happening.at_s + happening.grace_s,",
        ("tests/core/test_health.py::"
         "test_a_suspension_does_not_cut_the_grace_of_the_start_short",)),
    Mutant(
        "packages/core/health.py",
        "is_down = certain or in_row > retries or",
        "is_down = certain or in_row >= retries or",
        ("tests/core/test_health.py::"
         "test_it_goes_down_only_after_the_forgiven_failures_and_says_so_once",)),
    Mutant(
        "packages/core/health.py",
        "if each.until_s <= now_s}",
        "if False}",
        ("tests/core/test_health.py::"
         "test_a_suspension_ends_at_its_deadline_though_nobody_ends_it",)),
    Mutant(
        "packages/core/health.py",
        "if happening.at_s < health.grace_until_s and not certain:",
        "if happening.at_s < health.grace_until_s:",
        ("tests/core/test_health.py::test_what_is_certain_is_not_forgiven",)),
    Mutant(
        "packages/core/health.py",
        "until_s = min(until_s, at_s + LONGEST_S)",
        "pass",
        ("tests/core/test_health.py::test_no_suspension_is_for_ever",)),
    Mutant(
        "packages/core/health.py",
        '    ("up", "suspended"): _suspended,\n',
        "",
        ("tests/core/test_health.py::test_while_suspended_no_result_counts",)),
    Mutant(
        "packages/core/health.py",
        '    ("suspended", "resumed"): _begin,\n',
        '    ("suspended", "resumed"): _begin,\n'
        '    ("suspended", "failed"): _failed,\n',
        ("tests/core/test_health.py::test_while_suspended_no_result_counts",)),
]
