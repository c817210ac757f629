"""Keeps Flower inviting the organisations for as long as a run lasts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from headwater.errors import HeadwaterError

__all__ = ["Inviting", "invited"]

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0


class Inviting(Protocol):
    """What is asked of Flower; `FlowerControl` does it."""

    async def start_run(self, run_id: str) -> int:
        """Start the stub bundle for a run and return Flower's number of it."""
        ...

    async def run_is_over(self, flower_run: int) -> bool:
        """Whether Flower's run has ended, however it did."""
        ...

    async def stop_run(self, flower_run: int) -> None:
        """Stop Flower's run."""
        ...


@contextlib.asynccontextmanager
async def invited(flower: Inviting, run_id: str, look_seconds: float = _LOOK_SECONDS) -> AsyncIterator[None]:
    """While this block runs, organisations are invited to a run; a stub that ended on its own is started again.

    That Flower is away is no failure of the run: whoever was invited goes on over gRPC, and the setup's own deadline
    decides whether enough came.
    """
    task = asyncio.create_task(_keep(flower, run_id, look_seconds), name=f"invitations {run_id}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(flower: Inviting, run_id: str, look_seconds: float) -> None:
    number: int | None = None
    try:
        while True:
            try:
                if number is None or await flower.run_is_over(number):
                    number = await _start(flower, run_id)
                    _log.info("stub_started", run=run_id, flower_run=number)
            except HeadwaterError as error:
                _log.warning("stub_delayed", run=run_id, reason=str(error))
            await asyncio.sleep(look_seconds)
    finally:
        if number is not None:
            await _stop(flower, number)


async def _start(flower: Inviting, run_id: str) -> int:
    starting = asyncio.ensure_future(flower.start_run(run_id))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The request is on its way: wait for the stub's number, or nobody could stop it.
        with contextlib.suppress(HeadwaterError):
            await _stop(flower, await starting)
        raise


async def _stop(flower: Inviting, number: int) -> None:
    with contextlib.suppress(HeadwaterError):
        await flower.stop_run(number)
