"""The loopback measurement: whatever breaks within it ends it by name, and soon."""

import asyncio
import concurrent.futures
import multiprocessing
from types import SimpleNamespace
from typing import Any

import pytest

import secagg_rounds


def test_a_member_whose_process_dies_ends_the_measurement_by_name() -> None:
    never: concurrent.futures.Future[Any] = concurrent.futures.Future()
    processes: dict[str, Any] = {"org-000": SimpleNamespace(exitcode=None), "org-001": SimpleNamespace(exitcode=-9)}

    with pytest.raises(secagg_rounds._Failed, match="org-001 ended with status -9"):
        secagg_rounds._conducted(never, processes)


def test_a_member_that_ends_without_a_report_is_named() -> None:
    mine, theirs = multiprocessing.Pipe(duplex=False)
    theirs.close()

    with mine, pytest.raises(secagg_rounds._Failed, match="org-000 ended without its report"):
        secagg_rounds._reported("org-000", mine)


def test_what_never_ends_is_given_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secagg_rounds, "PATIENCE_SECONDS", 0.0)

    async def wait() -> None:
        async with secagg_rounds._within("round 7"):
            await asyncio.Event().wait()

    with pytest.raises(secagg_rounds._Failed, match="round 7 did not end within 0 s"):
        asyncio.run(wait())
