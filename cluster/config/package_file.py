"""Files of packages: one or several descriptions, one per YAML document.

A file is taken whole or not at all: one fault in one package and none of them counts, so that an
operator never has to find out which half of a file is in force.
"""

from cluster.config.load import LARGEST_DESCRIPTION, load
from packages.core.config import package_from_tree
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.shape import MOST_PROBLEMS


def packages_from_text(
    raw: str | bytes, *, source: str = "the package file",
) -> tuple[list[PackageSpec], list[Problem]]:
    """The packages a file describes, or none with everything that is wrong with the file."""
    documents, problems = load(raw, source=source, largest=LARGEST_DESCRIPTION)
    specs: list[PackageSpec] = []
    first_lines: dict[str, int] = {}
    for tree in documents:
        if len(problems) >= MOST_PROBLEMS:
            break
        spec, faults = package_from_tree(tree, source=source)
        problems += faults
        if spec is None:
            continue
        if spec.name in first_lines:
            problems.append(_named_twice(spec.name, tree.line, first_lines[spec.name], source))
        first_lines.setdefault(spec.name, tree.line)
        specs.append(spec)
    return ([], problems) if problems else (specs, [])


def _named_twice(name: str, line: int, first_line: int, source: str) -> Problem:
    return problem(
        "config-duplicate", f"package:{name}",
        what=f"{source} line {line}: package {name} is described twice",
        because=f"line {line}: its first description begins in line {first_line}",
        fix="keep one of them, or give one another name",
    )
