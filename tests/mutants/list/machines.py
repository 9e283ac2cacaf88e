"""Which machine a guest is started as."""

from tests.mutants.mutant import Mutant

CORE = "tests/core/test_machines.py::"
MIXED = ("tests/simulation/test_mixed_hypervisors.py::"
         "test_a_guest_started_on_the_newest_host_is_what_all_its_nodes_know")

MUTANTS = [
    Mutant(
        "packages/core/machines.py",
        "    found = common[0] if common else own[0]\n", "    found = own[0]\n",
        (CORE + "test_the_newest_that_all_are_known_to_have",)),
    Mutant(
        "packages/core/machines.py",
        "    return [each for _, each in sorted(dated, reverse=True)]\n",
        "    return sorted((each for _, each in dated), reverse=True)\n",
        (CORE + "test_the_newest_that_all_are_known_to_have",)),
    Mutant(
        "packages/agent.py",
        "self.around.as_all_nodes_know(duty.spec), epoch=duty.epoch",
        "duty.spec, epoch=duty.epoch", (MIXED,)),
]
