"""Who may speak in a cluster: makes and reads the keys and certificates in every node's folder.

`init_cluster` makes everything once, on the machine where the operator sets the cluster up; each
node's folder is then carried to its host, or the first one's alone, and the others come in by
invitation. A secret is readable by its owner alone from the moment its file exists, keys in use
are never overwritten here, and a folder that is not wholly right is not used.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cluster.clock import Clock, HostClock
from cluster.config.certificates import Authority, new_key, request_for, trouble_with
from cluster.config.client_file import CLIENT_FILE, client_file_text
from cluster.config.cluster_file import cluster_from_text
from cluster.config.founding import FOUNDING_FILE, Founding, founding_text
from cluster.config.load import dump, load
from cluster.config.node_files import broken, exposure_of, text_of, unwritable, write_new
from cluster.config.schema import ClusterConfig, Operator, PublicKeys, Role
from cluster.core.trust import NodeKeys, OperatorKey, Trust
from packages.core.names import NODE_NAME_PATTERN, NODE_NAME_SAYS
from packages.core.problem import Problem, problem
from packages.core.shape import block, choice, many, optional, read_tree, required, table, text
from packages.core.values import Value

OPERATOR = "root"

SECRETS = ("curve.secret", "node.key", "operator.secret")


class KeyPair(Protocol):
    """A CURVE key pair, each key 40 characters of Z85."""

    @property
    def public(self) -> str: ...

    @property
    def secret(self) -> str: ...


class NodeFolder(Value):
    """A node's folder, read and checked. The paths are for ssl, which reads files itself."""

    name: str
    config: ClusterConfig
    keys: PublicKeys
    curve_secret: str
    operator_secret: str
    ca_certificate: str
    certificate: str
    private_key: str

    def __repr__(self) -> str:
        return f"NodeFolder(name={self.name!r}, certificate={self.certificate!r}, ...)"


def init_cluster(
    config: ClusterConfig, target_folder: Path, make_keys: Callable[[], KeyPair], *,
    clock: Clock | None = None, first: str | None = None,
) -> Problem | None:
    """Write <target>/<node>/ for every node, or for the first alone: then the others make their
    own keys, and come in by invitation. <target>/ca.key and ca.crt are a copy to keep safe.

    Refused when any of it is there already: old keys may be in use.
    """
    names = [node.name for node in config.nodes if first in (None, node.name)]
    folders = [target_folder / name for name in names]
    taken = [path for path in (*folders, target_folder / "ca.key") if path.exists()]
    if taken:
        return problem(
            "key-files-exist", f"cluster:{config.name}",
            what=f"{taken[0]} is there already", because="keys in use must not be replaced",
            fix=f"choose an empty folder, or remove {target_folder} if it was never used",
        )
    try:
        _write_cluster(
            config, names, target_folder, make_keys, clock or HostClock(), founds=first is not None)
    except OSError as error:
        return unwritable(target_folder, error)
    return None


def load_node_folder(etc: Path) -> NodeFolder | Problem:
    """Everything a daemon or client needs from its folder, or the first thing wrong with it."""
    for name in SECRETS:
        exposed = exposure_of(etc / name)
        if exposed is not None:
            return exposed
    texts: dict[str, str] = {}
    for name in ("cluster.yaml", "node", "keys.yaml", "ca.crt", "node.crt", *SECRETS):
        content = text_of(etc / name)
        if isinstance(content, Problem):
            return content
        texts[name] = content
    for name in ("curve.secret", "operator.secret"):
        if re.fullmatch(_CURVE_KEY_PATTERN, texts[name].strip()) is None:
            return broken(etc / name, "it does not hold the 40 characters of a CURVE key")
    trouble = trouble_with(
        texts["node"].strip(), authority=texts["ca.crt"], certificate=texts["node.crt"],
        key=texts["node.key"],
    )
    return _folder(etc, texts) if trouble is None else broken(etc / trouble[0], trouble[1])


def keys_from_text(raw: str | bytes, *, source: str) -> tuple[PublicKeys | None, list[Problem]]:
    """keys.yaml, or None with everything that is wrong with it."""
    documents, problems = load(raw, source=source)
    if problems:
        return None, problems
    keys, faults = read_tree(_KEYS, documents[0], subject=f"file:{source}", source=source)
    return keys, faults


_CURVE_KEY_PATTERN = r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}"
# A host's root is an operator, too, and is called root@ and the name of the node.
OPERATOR_NAME_PATTERN = (
    rf"[A-Za-z0-9](?:[A-Za-z0-9._@-]{{0,62}}[A-Za-z0-9])?|root@{NODE_NAME_PATTERN}")
OPERATOR_NAME = text(
    OPERATOR_NAME_PATTERN, says="1 to 64 letters, digits, '.', '-', '_' or '@'")
_CURVE_KEY = text(_CURVE_KEY_PATTERN, says="a CURVE key of 40 characters")
_KEYS = block(PublicKeys, {
    "nodes": required(table(_CURVE_KEY, key=NODE_NAME_PATTERN, says=NODE_NAME_SAYS)),
    "next": optional(table(_CURVE_KEY, key=NODE_NAME_PATTERN, says=NODE_NAME_SAYS)),
    "operators": optional(many(block(Operator, {
        "name": required(OPERATOR_NAME),
        "public_key": required(_CURVE_KEY),
        "role": optional(choice(Role)),
    }), most=1000, claims={"name": lambda operator: (operator.name,)})),
})


def _write_cluster(
    config: ClusterConfig, names: list[str], target_folder: Path,
    make_keys: Callable[[], KeyPair], clock: Clock, *, founds: bool,
) -> None:
    authority = Authority.of_new_cluster(config.name, clock)
    operator = make_keys()
    pairs = {name: make_keys() for name in names}
    keys = PublicKeys(
        nodes={name: pair.public for name, pair in pairs.items()},
        operators=(Operator(name=OPERATOR, public_key=operator.public),),
    )
    target_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(target_folder / "ca.key", authority.key_text, mode=0o600)
    write_new(target_folder / "ca.crt", authority.certificate_text)
    for name, pair in pairs.items():
        folder = target_folder / name
        folder.mkdir(mode=0o700)
        write_public(folder, name, dump(config), keys)
        _write_certificate(folder, name, authority)
        write_new(folder / "curve.secret", f"{pair.secret}\n", mode=0o600)
        write_new(folder / "operator.secret", f"{operator.secret}\n", mode=0o600)
    # One host certifies those who come later and who change keys: docs/security.md says why one.
    write_new(target_folder / names[0] / "ca.key", authority.key_text, mode=0o600)
    if founds:
        founding = Founding(trust=trust_of(keys))
        write_new(target_folder / names[0] / FOUNDING_FILE, founding_text(founding))


def write_public(folder: Path, name: str, cluster_text: str, keys: PublicKeys) -> None:
    """The files of a folder that need not be secret, in a new folder. The node's name is last: with
    it the folder is complete."""
    texts = {"cluster.yaml": cluster_text, "keys.yaml": dump(keys), "node": f"{name}\n"}
    config, _ = cluster_from_text(cluster_text)
    if config is not None:
        write_new(folder / CLIENT_FILE, client_file_text(config, keys, texts))
    for file, text_in_it in texts.items():
        write_new(folder / file, text_in_it)


def _write_certificate(folder: Path, name: str, authority: Authority) -> None:
    key = new_key()
    request = request_for(key, name)
    certificate = authority.certify(name, request) if request else None
    assert certificate is not None, "our own request is in order"
    write_new(folder / "ca.crt", authority.certificate_text)
    write_new(folder / "node.crt", certificate)
    write_new(folder / "node.key", key, mode=0o600)


def public_keys(trust: Trust) -> PublicKeys:
    """What keys.yaml says of whom the cluster trusts."""
    return PublicKeys(
        nodes={each.node: each.key for each in trust.nodes},
        next={each.node: each.next_key for each in trust.nodes if each.next_key},
        operators=tuple(
            Operator(name=each.name, public_key=each.key, role=each.role)
            for each in trust.operators
        ),
    )


def trust_of(keys: PublicKeys) -> Trust:
    """Whom keys.yaml trusts, before the cluster has said whom it does."""
    return Trust(
        nodes=tuple(
            NodeKeys(node=name, key=key, next_key=keys.next.get(name, ""))
            for name, key in sorted(keys.nodes.items())
        ),
        operators=tuple(
            OperatorKey(name=each.name, key=each.public_key, role=each.role)
            for each in sorted(keys.operators, key=lambda each: each.name)
        ),
    )


def _folder(etc: Path, texts: dict[str, str]) -> NodeFolder | Problem:
    config, problems = cluster_from_text(texts["cluster.yaml"], source=str(etc / "cluster.yaml"))
    if config is None:
        return problems[0]
    keys, problems = keys_from_text(texts["keys.yaml"], source=str(etc / "keys.yaml"))
    if keys is None:
        return problems[0]
    name = texts["node"].strip()
    if name not in [node.name for node in config.nodes]:
        return broken(etc / "node", f"{name[:60]!r} is not a node of the cluster file")
    if name not in keys.nodes:  # others may come in later, and bring theirs
        return broken(etc / "keys.yaml", f"it has no key of node {name}")
    return NodeFolder(
        name=name, config=config, keys=keys,
        curve_secret=texts["curve.secret"].strip(),
        operator_secret=texts["operator.secret"].strip(),
        ca_certificate=str(etc / "ca.crt"),
        certificate=str(etc / "node.crt"),
        private_key=str(etc / "node.key"),
    )
