"""Only the engine that was read takes part, and it never pickles."""

import os
import pickle
import shutil
from pathlib import Path

import pysyncobj.journal
import pysyncobj.pickle
import pysyncobj.syncobj
import pytest

from cluster.clock import HostClock
from cluster.raft.pin import PINNED_SOURCES, PickleRefused, check_pin, install


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in PINNED_SOURCES:
        shutil.copy(Path(pysyncobj.syncobj.__file__).parent / name, tmp_path)
    return tmp_path


def test_the_installed_engine_is_the_pinned_one(copy: Path) -> None:
    assert check_pin() is None
    assert check_pin(copy) is None


@pytest.mark.parametrize("name", sorted(PINNED_SOURCES))
def test_a_changed_engine_is_refused_with_what_to_do(copy: Path, name: str) -> None:
    with open(copy / name, "a") as source:
        source.write("\n")
    found = check_pin(copy)
    assert found is not None and found.code == "engine-not-pinned"
    assert name in found.because and "pip install" in found.fix


def test_another_release_is_refused(copy: Path) -> None:
    found = check_pin(copy, "0.3.18")
    assert found is not None and "0.3.18" in found.because


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("/nonexistent/exploded",)


@pytest.mark.parametrize("raw", [pickle.dumps(Bomb()), pickle.dumps((1, b"x")), b""])
def test_no_pickle_is_loaded_or_made(raw: bytes) -> None:
    install(HostClock())
    for module in (pysyncobj.pickle, pysyncobj.journal):
        with pytest.raises(PickleRefused):
            module.loads(raw)
        with pytest.raises(PickleRefused):
            module.dumps(raw)
    with pytest.raises(PickleRefused):
        pysyncobj.syncobj.pickle.loads(raw)
