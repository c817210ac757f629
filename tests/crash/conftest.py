"""The consortium that crash tests kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.processes import Processes
from crash.world import CrashWorld, make_template
from support.consortium import ConsortiumInMemory


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """The nursery of all crash tests."""
    nursery = Processes()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ConsortiumInMemory]:
    """Four organisations: three make a quorum, so one may be lost."""
    folder = tmp_path_factory.mktemp("consortium")
    return folder, make_template(folder, 4)


@pytest.fixture
def world(tmp_path: Path, template: tuple[Path, ConsortiumInMemory], processes: Processes) -> Iterator[CrashWorld]:
    """A fresh copy of the consortium."""
    yield CrashWorld(tmp_path, *template, processes)
    processes.end_all()
