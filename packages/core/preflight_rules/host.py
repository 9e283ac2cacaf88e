"""Rules about what a host has, asked before a package is taken: whether it could ever run there."""

from packages.core.allowed import images_of
from packages.core.facts import FileKind
from packages.core.model import PackageSpec
from packages.core.preflight_input import PreflightInput
from packages.core.preflight_rules.memory import OVERHEAD_MIB
from packages.core.problem import Problem, problem


def memory_never_enough(asked: PreflightInput) -> Problem | None:
    """However empty the node is; one that has not told how much it has is not judged."""
    target = asked.target_facts
    needed_mib = asked.spec.vm.memory_mib + OVERHEAD_MIB
    if target is None or not 0 < target.memory_total_mib < needed_mib:
        return None
    return problem(
        "memory-short", f"node:{asked.target}",
        what=f"{asked.target} can never hold {asked.spec.name}",
        because=f"it has {target.memory_total_mib} MiB in all, the guest needs {needed_mib} MiB "
                f"with {OVERHEAD_MIB} MiB for QEMU itself",
        fix="set memory_mib lower, or give the package nodes with more memory",
    )


def refused_by_qemu(asked: PreflightInput) -> list[Problem]:
    return [
        problem(
            "guest-not-possible", f"node:{asked.target}",
            what=f"QEMU on {asked.target} would not start {asked.spec.name}", because=words,
            fix=f"change the package's vm, or install a QEMU on {asked.target} that takes it",
        )
        for words in asked.refused_by_qemu
    ]


def files_absent(asked: PreflightInput) -> list[Problem]:
    """The kernel, its initrd, and the programs of monitors."""
    target = asked.target_facts
    if target is None:
        return []
    found = []
    for path, use, wanted in files_of(asked.spec):
        kind = target.files.get(path, "other")
        if kind == wanted or kind == "program":
            found += _not_ours(asked, path, use, target.not_ours.get(path))
            continue
        if path not in target.files:
            continue  # nobody asked, or a node of the version before
        because = "there is no such file" if kind == "missing" else (
            "it is no file that can be read" if wanted == "file" else "it cannot be executed")
        found.append(problem(
            "file-absent", f"node:{asked.target}",
            what=f"{path}, {use} of {asked.spec.name}, is not on {asked.target}", because=because,
            fix=f"put it there on {asked.target}, as on every node of the package",
        ))
    return found


def _not_ours(
    asked: PreflightInput, path: str, use: str, because: str | None,
) -> list[Problem]:
    """It is there, and the node would not use it all the same."""
    if because is None:
        return []
    return [problem(
        "program-not-allowed" if use.startswith("the program") else "image-not-allowed",
        f"node:{asked.target}", what=f"{asked.target} would not use {path}, {use} of "
        f"{asked.spec.name}", because=because,
        fix=f"see on {asked.target} that it and its folders are root's, and not writable by others "
            "(docs/security.md)",
    )]


def files_of(spec: PackageSpec) -> list[tuple[str, str, FileKind]]:
    """(path, what it is for, what it has to be)"""
    found: list[tuple[str, str, FileKind]] = [
        (path, use, "file") for path, use in images_of(spec.vm)]
    found += [(each.argv[0], f"the program of monitor {each.name}", "program")
              for each in spec.monitors if each.kind == "program" and each.argv]
    return found
