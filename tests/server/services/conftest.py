"""One event loop for all servers of a test process, a fresh coordinator for each test."""

from collections.abc import Iterator

import pytest

from support.rpc import LoopThread, RpcCoordinator, shared_loop


@pytest.fixture
def loop() -> LoopThread:
    """The servers' event loop."""
    return shared_loop()


@pytest.fixture
def coordinator(loop: LoopThread) -> Iterator[RpcCoordinator]:
    """A coordinator's gRPC side."""
    running = RpcCoordinator(loop)
    yield running
    running.close()
