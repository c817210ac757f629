"""Settings of all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

# Several test processes share the cores; one that spreads over all of them makes every other wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from support.outlines import outlines

# Machines are shared: how long one example takes says nothing about the code.
settings.register_profile("headwater", deadline=None)
settings.load_profile("headwater")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of slow tests alone imports no file without any: importing all takes longer than some of them."""
    if config.getoption("markexpr") != "slow" or not collection_path.is_file():
        return None
    return True if "mark.slow" not in collection_path.read_text(encoding="utf-8") else None


class OneAtATime(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process whole files of tests, and what fills a machine by itself to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        """Tests of one answer run in one process; `xdist_group` says it too, but pytest 9.2 and xdist 3.8 ignore it."""
        if nodeid.startswith("tests/end_to_end/"):
            return "consortia of processes"
        return "ray" if "_ray_" in nodeid else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAtATime | None:
    """Slow tests are dealt out by what they start."""
    return OneAtATime(config, log) if config.getoption("markexpr") == "slow" else None


@pytest.fixture(autouse=True)
def _homes_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home folders of whoever runs it."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path_factory.getbasetemp() / "headwater-home"))


@pytest.fixture
def in_outline() -> Iterator[None]:
    """Runs draw nothing and fit roughly, as `support.outlines` says."""
    with outlines():
        yield
