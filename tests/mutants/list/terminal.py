"""Lines that keep an operator from what cannot be taken back, and a command from the wrong lab."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        file="cluster/answers/consent.py",
        line="    if ask.confirmed or ask.dry_run or not follows:",
        broken="    if True:",
        tests=("tests/scenarios/test_consent.py",),
    ),
    Mutant(
        file="cli/session.py",
        line="            request = changed(request, confirmed=False)",
        broken="            pass",
        tests=("tests/commands/test_cli_consent.py",),
    ),
    Mutant(
        file="cluster/lab/choice.py",
        line="    return [each for each in folders if user_of(each) == user]",
        broken="    return [each for each in folders if user_of(each) is not None]",
        tests=("tests/commands/test_lab_choice.py",),
    ),
    Mutant(
        file="cluster/lab/choice.py",
        line="    if len(mine) <= 1:\n",
        broken="    if True:\n",
        tests=("tests/commands/test_lab_choice.py",),
    ),
    Mutant(
        file="cluster/config/cluster_file.py",
        line="checks=(_few_witnesses, loopback_for_all_or_none))",
        broken="checks=(_few_witnesses,))",
        tests=("tests/core/test_names.py",),
    ),
    Mutant(
        file="packages/core/shape.py",
        line="            return _zero_first(tree, where, faults)\n        value = int(tree.value)",
        broken="            pass\n        value = int(tree.value)",
        tests=("tests/core/test_names.py",),
    ),
]
