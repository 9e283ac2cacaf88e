"""This node's own keys while its daemon runs: what it makes, changes over to, and certifies with.

A node changes over in an order in which a crash at any point leaves either the old keys or the
way to the new ones: the next keys are made and on disk before anybody hears of them; replacing
node.key is the point from which `settle` finishes the rest. What must never happen here: a secret
in a log or a message; a key in use replaced before its successor is on disk.
"""

from collections.abc import Callable
from pathlib import Path

from cluster.clock import Clock
from cluster.config.certificates import Authority, is_signed_by, new_key, request_for
from cluster.config.client_file import CLIENT_FILE, MADE_FROM, client_file_text
from cluster.config.cluster_file import cluster_from_text
from cluster.config.founding import INVITED_FILE, Founding, founding_of, keep_founding
from cluster.config.keys import KeyPair
from cluster.config.load import dump
from cluster.config.node_files import exposure_of, move, rewrite, text_of, unwritable
from cluster.config.schema import PublicKeys
from packages.core.problem import Problem, problem
from packages.core.values import Value

CHANGED = ("node.key", "node.crt", "curve.secret")
"""The files that change, in the order in which they are replaced."""


class Certified(Value):
    """What the authority answers to a request."""

    authority: str
    certificate: str


class NextKeys(Value):
    """What a node is about to use: a CURVE key and a request for a certificate."""

    key: str
    certificate_request: str


class FolderVault:
    """`make_keys` and `public_of` are the door to CURVE (cluster/sockets.py)."""

    def __init__(
        self, etc: Path, node: str, clock: Clock, *, make_keys: Callable[[], KeyPair],
        public_of: Callable[[str], str | None],
    ) -> None:
        self._etc, self._node, self._clock = etc, node, clock
        self._make_keys, self._public_of = make_keys, public_of

    def founding(self) -> Founding | None:
        """None when this node founds nothing; a damaged file is as good as closed."""
        found = founding_of(self._etc)
        return found if isinstance(found, Founding) else None

    def was_invited(self) -> bool:
        return (self._etc / INVITED_FILE).exists()

    def keep_founding(self, founding: Founding) -> Problem | None:
        try:
            keep_founding(self._etc, founding)
        except OSError as error:
            return unwritable(self._etc, error)
        return None

    def keep_public(self, keys: PublicKeys) -> Problem | None:
        """Have keys.yaml, and what the command line reads, say what the cluster agreed."""
        try:
            self._keep("keys.yaml", dump(keys))
            texts = {name: text_of(self._etc / name) for name in MADE_FROM}
            read = {name: text for name, text in texts.items() if isinstance(text, str)}
            config, _ = cluster_from_text(read.get("cluster.yaml", ""))
            if config is not None and len(read) == len(MADE_FROM):
                self._keep(CLIENT_FILE, client_file_text(config, keys, read))
        except OSError as error:
            return unwritable(self._etc / "keys.yaml", error)
        return None

    def keep_config(self, text: str) -> Problem | None:
        """Have cluster.yaml be what the cluster agreed; what stood there before is kept beside."""
        path = self._etc / "cluster.yaml"
        try:
            before = text_of(path)
            if isinstance(before, str) and before != text:
                rewrite(path.with_name("cluster.yaml.before"), before)
            self._keep("cluster.yaml", text)
        except OSError as error:
            return unwritable(path, error)
        return None

    def _keep(self, name: str, fresh: str) -> None:
        if text_of(self._etc / name) != fresh:
            rewrite(self._etc / name, fresh)

    def is_authoritys(self, words: str, signature: str) -> bool:
        certificate = text_of(self._etc / "ca.crt")
        return isinstance(certificate, str) and is_signed_by(certificate, words, signature)

    def certify(self, node: str, request: str) -> Certified | Problem:
        """Issue a certificate, where this host holds the authority's key."""
        path = self._etc / "ca.key"
        if not path.exists():
            return authority_missing(self._node)
        texts = [exposure_of(path) or text_of(path), text_of(self._etc / "ca.crt")]
        for each in texts:
            if isinstance(each, Problem):
                return each
        authority = Authority.from_texts(str(texts[0]), str(texts[1]), self._clock)
        if authority is None:
            return problem(
                "key-file-broken", f"file:{path}", what=f"{path} is not usable.",
                because="It is not the key of the authority in ca.crt.",
                fix="Put the cluster's own ca.key there, or remove it.",
            )
        certificate = authority.certify(node, request)
        if certificate is None:
            return problem(
                "bad-request", f"node:{node}", what="No certificate is issued.",
                because="The request does not prove that its sender has the key.",
                fix="Ask again with the same version of the product on both hosts.",
            )
        return Certified(authority=authority.certificate_text, certificate=certificate)

    def next_keys(self) -> NextKeys | Problem:
        """Make the keys to change over to, or find those made before."""
        try:
            for name, make in (
                ("node.key", new_key), ("curve.secret", lambda: f"{self._make_keys().secret}\n"),
            ):
                if not self._next(name).exists():
                    rewrite(self._next(name), make(), mode=0o600)
        except OSError as error:
            return unwritable(self._etc, error)
        key, secret = text_of(self._next("node.key")), text_of(self._next("curve.secret"))
        if isinstance(key, Problem):
            return key
        if isinstance(secret, Problem):
            return secret
        public, request = self._public_of(secret.strip()), request_for(key, self._node)
        if public is None or request is None:
            return problem(
                "key-file-broken", f"file:{self._etc}", what="The next keys are not usable.",
                because="curve.secret.next or node.key.next was damaged.",
                fix="Remove both, and the node makes others.",
            )
        return NextKeys(key=public, certificate_request=request)

    def change_over(self, certificate: str) -> str | Problem:
        """Use the next keys from now on; the CURVE secret among them."""
        try:
            rewrite(self._next("node.crt"), certificate)
            for name in CHANGED:
                move(self._next(name), self._etc / name)
        except OSError as error:
            return unwritable(self._etc, error)
        found = text_of(self._etc / "curve.secret")
        return found if isinstance(found, Problem) else found.strip()

    def _next(self, name: str) -> Path:
        return self._etc / f"{name}.next"


def settle(etc: Path) -> Problem | None:
    """Finish a change of keys that a crash interrupted; to be done before the folder is read."""
    began = (etc / "curve.secret.next").exists() and not (etc / "node.key.next").exists()
    try:
        for name in CHANGED if began else ():
            if (etc / f"{name}.next").exists():
                move(etc / f"{name}.next", etc / name)
    except OSError as error:
        return unwritable(etc, error)
    return None


def authority_missing(node: str) -> Problem:
    return problem(
        "authority-missing", f"node:{node}", what="No certificate can be issued.",
        because="No node that answers has ca.key in its folder.",
        fix="Put the ca.key that vmsg cluster init made into /etc/vmsg of one node that runs, with "
            "chmod 600; take it off again afterwards if it is to be kept elsewhere.",
    )
