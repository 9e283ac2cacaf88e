"""Certificates as a cluster's own authority gives them, made by openssl for tests of channels."""

import subprocess
from pathlib import Path

NEW_KEY = (
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "10",
)


def make_authority(folder: Path) -> Path:
    folder.mkdir(parents=True)
    _openssl(
        *NEW_KEY, "-subj", "/CN=authority", "-keyout", f"{folder}/ca.key",
        "-out", f"{folder}/ca.crt", "-addext", "keyUsage=critical,keyCertSign",
    )
    return folder


def make_node(authority: Path, folder: Path, name: str) -> Path:
    """A node's folder: ca.crt, node.crt and node.key."""
    folder.mkdir(parents=True)
    _openssl(
        *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{folder}/node.key",
        "-out", f"{folder}/node.crt", "-CA", f"{authority}/ca.crt", "-CAkey",
        f"{authority}/ca.key", "-addext", f"subjectAltName=DNS:{name}",
        "-addext", "basicConstraints=critical,CA:false",
    )
    (folder / "ca.crt").write_bytes((authority / "ca.crt").read_bytes())
    return folder


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
