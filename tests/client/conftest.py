"""A consortium on loopback for the tests that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.organisations import EnrolledConsortium
from support.rpc import RpcCoordinator, shared_loop


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[EnrolledConsortium]:
    """Three enrolled organisations; nothing is accepted or approved yet."""
    coordinator = RpcCoordinator(shared_loop())
    enrolled = EnrolledConsortium(coordinator, tmp_path)
    yield enrolled
    enrolled.close()
    coordinator.close()
