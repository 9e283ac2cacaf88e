"""The cluster's own certificates: an authority, one certificate for each node, and their checks.

A node makes its own key and asks for a certificate with a request that proves the key to be its;
the key never leaves its host. Guest memory travels under these certificates.
The only file that imports cryptography.
"""

import base64
import datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.clock import Clock

# Longer than the hosts live; a certificate that runs out would stop moves, not guests.
VALID_DAYS = 3650
# A host whose clock is behind by less than this still takes a new certificate.
BACKDATED_DAYS = 1

LONGEST_COMMON_NAME = 64
"""RFC 5280's bound (ub-common-name); a host's whole name may have 253 characters."""

SIGNED_WORDS = "vmsg words, no certificate\n"
"""Before what the authority signs otherwise, so that neither can be taken for the other."""

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)
"""What cryptography raises on text that is not what it was taken for."""


class Authority:
    """Signs. Made anew for a new cluster, or from the texts of ca.key and ca.crt."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, clock: Clock,
    ) -> None:
        self._key, self._certificate, self._clock = key, certificate, clock

    @classmethod
    def of_new_cluster(cls, cluster: str, clock: Clock) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"vmsg cluster {cluster}")
        certificate = (
            _blank(name, key.public_key(), issuer=name, signer=key.public_key(), clock=clock)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate, clock)

    @classmethod
    def from_texts(cls, key: str, certificate: str, clock: Clock) -> Self | None:
        """None when the key is none, or not that of the certificate."""
        try:
            private = serialization.load_pem_private_key(key.encode(), password=None)
            public = x509.load_pem_x509_certificate(certificate.encode())
        except UNREADABLE:
            return None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            return None
        if private.public_key() != public.public_key():
            return None
        return cls(private, public, clock)

    @property
    def key_text(self) -> str:
        return _key_text(self._key)

    @property
    def certificate_text(self) -> str:
        return _certificate_text(self._certificate)

    def certify(self, node: str, request: str) -> str | None:
        """A certificate for the key of this request, in that node's name whatever name the request
        asks for. None when the request does not prove that its sender has the key."""
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            public = asked.public_key()
            if not asked.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
                return None
        except UNREADABLE:
            return None
        # A node proves its name both when it connects and when it is connected to.
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return _certificate_text(
            _blank(
                _name(node), public, issuer=self._certificate.subject,
                signer=self._key.public_key(), clock=self._clock,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def sign(self, words: str) -> str:
        """In base64, at most 96 characters."""
        return base64.b64encode(self._key.sign(
            f"{SIGNED_WORDS}{words}".encode(), ec.ECDSA(hashes.SHA256()))).decode()


def is_signed_by(certificate: str, words: str, signature: str) -> bool:
    """Whether the key of this certificate has signed these words."""
    try:
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey):
            return False
        public.verify(
            base64.b64decode(signature, validate=True), f"{SIGNED_WORDS}{words}".encode(),
            ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def new_key() -> str:
    """A node's private key."""
    return _key_text(ec.generate_private_key(ec.SECP256R1()))


def request_for(key: str, node: str) -> str | None:
    """What proves to the authority that this key is ours; None when it is no key of the kind."""
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except UNREADABLE:
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(node)).sign(
        private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def key_of(request: str) -> str | None:
    """The public key a request asks a certificate for, as text that is the same each time."""
    try:
        public = x509.load_pem_x509_csr(request.encode()).public_key()
    except UNREADABLE:
        return None
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo,
    ).decode()


def trouble_with(
    node: str, *, authority: str, certificate: str, key: str,
) -> tuple[str, str] | None:
    """The file and what is wrong with it, unless the key belongs to the certificate, which is this
    node's, signed by this cluster."""
    loaded: dict[str, x509.Certificate] = {}
    for file, text in (("ca.crt", authority), ("node.crt", certificate)):
        try:
            loaded[file] = x509.load_pem_x509_certificate(text.encode())
        except ValueError:
            return file, "it holds no certificate"
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except UNREADABLE:
        return "node.key", "it holds no private key without a password"
    if private.public_key() != loaded["node.crt"].public_key():
        return "node.key", "it is not the key of node.crt"
    try:
        loaded["node.crt"].verify_directly_issued_by(loaded["ca.crt"])
    except (ValueError, TypeError, InvalidSignature):
        return "node.crt", "it was not issued by the authority in ca.crt"
    if node not in _dns_names(loaded["node.crt"]):
        return "node.crt", f"it does not name {node[:60]!r}"
    return None


def _blank(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name,
    signer: ec.EllipticCurvePublicKey, clock: Clock,
) -> x509.CertificateBuilder:
    now = datetime.datetime.fromtimestamp(clock.wall_ms() / 1000, datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=BACKDATED_DAYS))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False,
        )
    )


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
    """For people's eyes: what counts is the DNS name beside it, which may be longer."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text_of_name[:LONGEST_COMMON_NAME])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )
