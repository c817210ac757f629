"""A coordinator's gRPC side for each test, on the one event loop of the process."""

from collections.abc import Iterator

import pytest

from support.lying_wire import WireWorld
from support.rpc import RpcCoordinator, shared_loop


@pytest.fixture
def coordinator() -> Iterator[RpcCoordinator]:
    """Real listeners on loopback."""
    running = RpcCoordinator(shared_loop())
    yield running
    running.close()


@pytest.fixture
def world(coordinator: RpcCoordinator) -> Iterator[WireWorld]:
    """Four organisations whose waits are long: what ends earlier ends by itself."""
    made = WireWorld(coordinator)
    yield made
    made.close()


@pytest.fixture
def hasty(coordinator: RpcCoordinator) -> Iterator[WireWorld]:
    """Four organisations whose rounds wait two seconds for whoever is silent."""
    made = WireWorld(coordinator, wait_seconds=2.0)
    yield made
    made.close()
