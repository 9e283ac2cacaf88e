"""<etc>/founding.json: whom the first node of a new cluster has let in so far.

A cluster whose other nodes have no keys yet cannot agree on anything. Until it can, its first node,
the founder, alone says who is trusted, and writes it here; then it hands all of it to the record
and closes the file for good. What must never happen: a file that is open again after the record
was given its content, because a host let in by it would be unknown to the others.
"""

from pathlib import Path

from cluster.config.node_files import broken, rewrite, text_of
from cluster.core.trust import Trust
from packages.core.problem import Problem
from packages.core.values import Undecodable, Value, from_json, to_json

FOUNDING_FILE = "founding.json"
INVITED_FILE = "invited"
"""In the folder of a host that came in by a line. Its keys.yaml names whoever was trusted then, and
the founder may let in more before it hands over: only the founder knows all."""


class Founding(Value):
    trust: Trust
    closed: bool = False
    """Written before the record is asked to take it over: from then on only the record counts."""


def founding_of(etc: Path) -> Founding | Problem | None:
    """None: this node founds nothing."""
    path = etc / FOUNDING_FILE
    if not path.exists():
        return None
    found = text_of(path)
    if isinstance(found, Problem):
        return found
    try:
        founding: Founding = from_json(found, Founding)
    except Undecodable as error:
        return broken(path, str(error))
    return founding


def keep_founding(etc: Path, founding: Founding) -> None:
    """Raises OSError."""
    rewrite(etc / FOUNDING_FILE, founding_text(founding))


def founding_text(founding: Founding) -> str:
    return to_json(founding).decode() + "\n"
