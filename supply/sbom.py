"""What a host gets beside Debian's packages, as a CycloneDX 1.6 document (`make sbom`).

Made from the lock alone, so that the same lock gives the same document: no clock and no dice in it,
and the serial number is a name for the content. What others have linked into their wheels (OpenSSL
in cryptography, ZeroMQ in pyzmq, libuv in uvloop) has no line: the wheel's version stands for it.
"""

import json
import re
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from supply import pins
from supply.pins import PRODUCT, Pin

Json = dict[str, Any]

_SERIALS = uuid.UUID("0f4f7d1e-93d1-4bb3-8a6e-2f3c1f5f1f0a")
"""Our own name space."""


def document(locked: Sequence[Pin], version: str) -> Json:
    """JSON as CycloneDX 1.6 wants it, components in the lock's order."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SERIALS, version + ''.join(map(str, locked)))}",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": PRODUCT, "name": PRODUCT, "version": version,
            "licenses": licences(pins.settings()["metadata"]["license"]),
        }},
        "components": [component(each) for each in locked],
        "dependencies": [
            {"ref": reference(name, locked),
             "dependsOn": [purl(each) for each in locked if name in each.wanted_by]}
            for name in (PRODUCT, *(each.name for each in locked))],
    }


def component(pin: Pin) -> Json:
    return {
        "type": "library", "bom-ref": purl(pin), "name": pin.name, "version": pin.version,
        "purl": purl(pin), "scope": "required", "licenses": licences(pin.licence),
        # CycloneDX has room for one file's hashes; where each Python takes a file of its own,
        # those of all stand here.
        "hashes": [{"alg": "SHA-256", "content": each} for each in pin.hashes],
    }


def licences(spdx: str) -> list[Json]:
    """One licence by its id, several as an expression: the schema tells them apart."""
    if re.search(r" (OR|AND|WITH) ", spdx):
        return [{"expression": spdx}]
    return [{"license": {"id": spdx}}]


def purl(pin: Pin) -> str:
    return f"pkg:pypi/{pin.name}@{pin.version}"


def reference(name: str, locked: Sequence[Pin]) -> str:
    return next((purl(each) for each in locked if each.name == name), name)


def text(made: Json) -> str:
    return json.dumps(made, indent=2) + "\n"


def main() -> None:
    sys.stdout.write(text(document(pins.read(), pins.version())))


if __name__ == "__main__":
    main()
