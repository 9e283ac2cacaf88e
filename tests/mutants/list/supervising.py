"""What starts a daemon again, and what it is told: cluster/exit_codes.py, late_address.py."""

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
]
