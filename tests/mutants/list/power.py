"""Switching a host off: cluster/power."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "cluster/power/agents.py",
        "if ended.code not in (0, STATUS_OFF):",
        "if False:",
        ("tests/contracts/test_power_contract.py::test_a_fence_that_fails_proves_nothing",)),
    Mutant(
        "cluster/power/agents.py",
        'if "off" not in metadata.actions:',
        "if False:",
        ("tests/contracts/test_power_contract.py::"
         "test_an_agent_that_makes_no_sense_is_found_by_its_check",)),
    Mutant(
        "cluster/power/agents.py",
        'return "off" if ended.code == STATUS_OFF else "on"',
        'return "off"',
        ("tests/contracts/test_power_contract.py::test_a_host_that_is_switched_off_is_off",)),
    Mutant(
        "cluster/power/agents.py",
        "return None if ended.code == 0 else fence_failed(fence, _why(ended))",
        "return None",
        ("tests/contracts/test_power_contract.py::test_a_fence_that_fails_proves_nothing",)),
    Mutant(
        "cluster/power/levels.py",
        "if not may_go_on():",
        "if False:",
        ("tests/contracts/test_power_contract.py::"
         "test_no_level_is_tried_any_more_once_it_may_not_go_on",)),
    Mutant(
        "cluster/power/levels.py",
        "first = next((each for each in problems if each is not None), None)",
        "first = problems[-1]",
        ("tests/contracts/test_power_contract.py::"
         "test_levels_are_tried_in_order_and_all_of_one_must_succeed",)),
    Mutant(
        "cluster/power/levels.py",
        "return await door.switch_off(fence) or await _seen_off(door, fence)",
        "return await door.switch_off(fence)",
        ("tests/contracts/test_power_contract.py::"
         "test_an_agent_that_reports_success_while_the_host_is_on_has_proven_nothing",)),
    Mutant(
        "cluster/power/levels.py",
        'return None if power == "off" else power',
        "return None",
        ("tests/contracts/test_power_contract.py::"
         "test_an_agent_that_cannot_say_how_the_power_stands_has_proven_nothing",)),
    Mutant(
        "cluster/power/metadata.py",
        'parameter.get("obsoletes", name), *long',
        "name",
        ("tests/contracts/test_fence_agents.py::test_either_name_of_an_option_serves",)),
    Mutant(
        "cluster/power/metadata.py",
        "each.is_required and not each.names & there)",
        "each.is_required and each.name not in there)",
        ("tests/contracts/test_fence_agents.py::test_either_name_of_an_option_serves",)),
    Mutant(
        "cluster/power/metadata.py",
        "for name in given if plain_name(name) not in known)",
        "for name in given if name not in known)",
        ("tests/contracts/test_fence_agents.py::test_either_name_of_an_option_serves",)),
]
