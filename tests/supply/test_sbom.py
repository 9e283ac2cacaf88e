"""The document of what a host gets has CycloneDX's shape, and says what the lock says."""

import re

from supply import pins, sbom

LOCKED = pins.read()
DOCUMENT = sbom.document(LOCKED, pins.version())


def test_it_has_the_shape_of_cyclonedx():
    assert DOCUMENT["bomFormat"] == "CycloneDX" and DOCUMENT["specVersion"] == "1.6"
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                        DOCUMENT["serialNumber"])
    assert DOCUMENT["version"] == 1
    for each in (DOCUMENT["metadata"]["component"], *DOCUMENT["components"]):
        assert each["type"] in ("application", "library")
        assert each["name"] and each["version"] and each["bom-ref"]
        assert len(each["licenses"]) == 1
        (licence,) = each["licenses"]
        assert set(licence) == {"expression"} or set(licence["license"]) == {"id"}
        for digest in each.get("hashes", ()):
            assert digest["alg"] == "SHA-256"
            assert re.fullmatch("[0-9a-f]{64}", digest["content"])


def test_it_says_what_the_lock_says():
    assert [(each["name"], each["version"], each["purl"]) for each in DOCUMENT["components"]] == [
        (each.name, each.version, f"pkg:pypi/{each.name}@{each.version}") for each in LOCKED]
    assert [[digest["content"] for digest in each["hashes"]] for each in DOCUMENT["components"]] \
        == [list(each.hashes) for each in LOCKED]


def test_each_reference_leads_somewhere_and_each_component_is_wanted():
    known = {each["bom-ref"] for each in DOCUMENT["components"]}
    assert len(known) == len(LOCKED)
    told = {each["ref"]: each["dependsOn"] for each in DOCUMENT["dependencies"]}
    assert set(told) == {"vmsg", *known}
    assert {each for wanted in told.values() for each in wanted} == known


def test_the_same_lock_gives_the_same_document():
    assert sbom.document(LOCKED, pins.version()) == DOCUMENT
    assert sbom.document(LOCKED[1:], pins.version())["serialNumber"] != DOCUMENT["serialNumber"]
