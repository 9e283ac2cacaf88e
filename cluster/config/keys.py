"""Who may speak in a cluster: makes and reads the keys and certificates in every node's folder.

`init_cluster` makes everything once, on the machine where the operator sets the cluster up; each
node's folder is then carried to its host. A secret is readable by its owner alone from the moment
its file exists, nothing is ever overwritten, and a folder that is not wholly right is not used.
The only file that imports cryptography.
"""

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.clock import Clock, HostClock
from cluster.config.client_file import CLIENT_FILE, client_file_text
from cluster.config.cluster_file import cluster_from_text
from cluster.config.load import dump, load
from cluster.config.node_files import broken, exposure_of, text_of, write_new
from cluster.config.schema import ClusterConfig, Operator, PublicKeys, Role
from packages.core.config import NAME, NAME_PATTERN, NAME_SAYS
from packages.core.problem import Problem, problem
from packages.core.shape import block, choice, many, optional, read_tree, required, table, text
from packages.core.values import Value

# Longer than the hosts live; a certificate that runs out would stop moves, not guests.
VALID_DAYS = 3650
# A host whose clock is behind by less than this still takes a new certificate.
BACKDATED_DAYS = 1
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


class _Authority:
    """The cluster's own certificate authority while it signs."""

    def __init__(self, cluster: str, clock: Clock) -> None:
        self._now = datetime.datetime.fromtimestamp(clock.wall_ms() / 1000, datetime.UTC)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"vmsg cluster {cluster}")
        usage = _usage(signs_certificates=True)
        self.certificate = (
            self._blank(self._name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def certify(self, node: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """A node proves its name both when it connects and when it is connected to."""
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return (
            self._blank(_name(node), key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _blank(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey,
    ) -> x509.CertificateBuilder:
        public = key.public_key()
        authority = self.key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - datetime.timedelta(days=BACKDATED_DAYS))
            .not_valid_after(self._now + datetime.timedelta(days=VALID_DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False,
            )
        )


def init_cluster(
    config: ClusterConfig, target_folder: Path, make_keys: Callable[[], KeyPair], *,
    clock: Clock | None = None,
) -> Problem | None:
    """Write <target>/<node>/ for every node, and <target>/ca.key and ca.crt for later nodes.

    Refused when any of it is there already: old keys may be in use.
    """
    folders = [target_folder / node.name for node in config.nodes]
    taken = [path for path in (*folders, target_folder / "ca.key") if path.exists()]
    if taken:
        return problem(
            "key-files-exist", f"cluster:{config.name}",
            what=f"{taken[0]} is there already", because="keys in use must not be replaced",
            fix=f"choose an empty folder, or remove {target_folder} if it was never used",
        )
    try:
        _write_cluster(config, target_folder, make_keys, clock or HostClock())
    except OSError as error:
        return problem(
            "key-file-unwritable", f"cluster:{config.name}",
            what=f"{error.filename or target_folder} could not be written",
            because=error.strerror or str(error), fix=f"make {target_folder} writable",
        )
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
    wrong = _certificate_trouble(etc, texts)
    return wrong if wrong is not None else _folder(etc, texts)


def keys_from_text(raw: str | bytes, *, source: str) -> tuple[PublicKeys | None, list[Problem]]:
    """keys.yaml, or None with everything that is wrong with it."""
    documents, problems = load(raw, source=source)
    if problems:
        return None, problems
    keys, faults = read_tree(_KEYS, documents[0], subject=f"file:{source}", source=source)
    return keys, faults


_CURVE_KEY_PATTERN = r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}"
_CURVE_KEY = text(_CURVE_KEY_PATTERN, says="a CURVE key of 40 characters")
_KEYS = block(PublicKeys, {
    "nodes": required(table(_CURVE_KEY, key=NAME_PATTERN, says=NAME_SAYS)),
    "operators": optional(many(block(Operator, {
        "name": required(NAME),
        "public_key": required(_CURVE_KEY),
        "role": optional(choice(Role)),
    }), most=1000, claims={"name": lambda operator: (operator.name,)})),
})


def _write_cluster(
    config: ClusterConfig, target_folder: Path, make_keys: Callable[[], KeyPair], clock: Clock,
) -> None:
    authority = _Authority(config.name, clock)
    operator = make_keys()
    pairs = {node.name: make_keys() for node in config.nodes}
    keys = PublicKeys(
        nodes={name: pair.public for name, pair in pairs.items()},
        operators=(Operator(name=OPERATOR, public_key=operator.public),),
    )
    target_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(target_folder / "ca.key", _key_text(authority.key), mode=0o600)
    write_new(target_folder / "ca.crt", _certificate_text(authority.certificate))
    for name, pair in pairs.items():
        folder = target_folder / name
        folder.mkdir(mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        texts = {"cluster.yaml": dump(config), "node": f"{name}\n", "keys.yaml": dump(keys)}
        for file, text_in_it in texts.items():
            write_new(folder / file, text_in_it)
        write_new(folder / CLIENT_FILE, client_file_text(config, keys, texts))
        write_new(folder / "ca.crt", _certificate_text(authority.certificate))
        write_new(folder / "node.crt", _certificate_text(authority.certify(name, key)))
        write_new(folder / "node.key", _key_text(key), mode=0o600)
        write_new(folder / "curve.secret", f"{pair.secret}\n", mode=0o600)
        write_new(folder / "operator.secret", f"{operator.secret}\n", mode=0o600)


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
    strangers = [node.name for node in config.nodes if node.name not in keys.nodes]
    if strangers:
        return broken(etc / "keys.yaml", f"it has no key of node {strangers[0]}")
    return NodeFolder(
        name=name, config=config, keys=keys,
        curve_secret=texts["curve.secret"].strip(),
        operator_secret=texts["operator.secret"].strip(),
        ca_certificate=str(etc / "ca.crt"),
        certificate=str(etc / "node.crt"),
        private_key=str(etc / "node.key"),
    )


def _certificate_trouble(etc: Path, texts: dict[str, str]) -> Problem | None:
    """The key belongs to the certificate, which is this node's, signed by this cluster."""
    loaded: dict[str, x509.Certificate] = {}
    for file in ("ca.crt", "node.crt"):
        try:
            loaded[file] = x509.load_pem_x509_certificate(texts[file].encode())
        except ValueError:
            return broken(etc / file, "it holds no certificate")
    try:
        key = serialization.load_pem_private_key(texts["node.key"].encode(), password=None)
    except (ValueError, TypeError):
        return broken(etc / "node.key", "it holds no private key without a password")
    certificate, authority = loaded["node.crt"], loaded["ca.crt"]
    if key.public_key() != certificate.public_key():
        return broken(etc / "node.key", "it is not the key of node.crt")
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return broken(etc / "node.crt", "it was not issued by the authority in ca.crt")
    if texts["node"].strip() not in _dns_names(certificate):
        return broken(etc / "node.crt", f"it does not name {texts['node'].strip()[:60]!r}")
    return None


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _certificate_text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(text_of_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text_of_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )
