"""Settings of all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

# Several test processes share the cores; one that spreads over all of them makes every other wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

from support.outlines import outlines

# Machines are shared: how long one example takes says nothing about the code.
settings.register_profile("headwater", deadline=None)
settings.load_profile("headwater")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of slow tests alone imports no file without any: importing all takes longer than some of them."""
    if config.getoption("markexpr") != "slow" or not collection_path.is_file():
        return None
    return True if "mark.slow" not in collection_path.read_text(encoding="utf-8") else None


@pytest.fixture(autouse=True)
def _homes_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home folders of whoever runs it."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path_factory.getbasetemp() / "headwater-home"))


@pytest.fixture
def in_outline() -> Iterator[None]:
    """Runs draw nothing and fit roughly, as `support.outlines` says."""
    with outlines():
        yield
