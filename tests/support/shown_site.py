"""A catalogue with one of everything that its pages can show, for tests of pages."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater.release.layout import DATA, MANIFEST
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import WITHDRAWN, SignedWithdrawal, Withdrawal
from headwater_server.catalogue.run_page import RunPages
from headwater_server.figures.health import draw_health
from headwater_server.storage import RunState, SqlStorage
from support.audited_release import pending_release, sign_release
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.claims import make_claim
from support.consortium import ConsortiumInMemory
from support.releases import Consortium, make_table, publish

__all__ = ["RUN", "RUN_OVER", "ShownSite", "shown_site", "withdraw"]

RUN, RUN_OVER = "0f" * 16, "1e" * 16

PROGRESS: tuple[dict[str, object], ...] = (
    {"kind": "setup", "attempt": 1, "expected": ["org-1", "org-2", "org-3"]},
    {
        "kind": "ready",
        "members": ["org-1", "org-2", "org-3"],
        "protection": "one cohort: sums over different sets of organisations cannot be subtracted",
        "privacy": "NOT DIFFERENTIALLY PRIVATE",
    },
    {"kind": "marginals", "tables": 10, "cells": 400, "seconds": 0.25},
    {"kind": "fit", "marginal_loss": 0.012, "health": {"entropy_ratio": 0.99, "duplicates": 0.0}, "seconds": 1.5},
)


@dataclasses.dataclass(frozen=True)
class ShownSite:
    """The catalogue, and the storage behind its pages of runs."""

    catalogue: RunningCatalogue
    storage: SqlStorage

    @property
    def url(self) -> str:
        """Its address."""
        return self.catalogue.url


def withdraw(releases: Path, consortium: Consortium, name: str, version: int, replaced_by: int | None) -> None:
    """Withdraw a version: a signed notice beside its manifest, and no rows any more."""
    folder = releases / name / str(version)
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    said = Withdrawal(
        name=name,
        version=version,
        release=manifest.digest,
        withdrawn="2026-11-22T09:00:00Z",
        reason="Ages of one ward were coded in months.",
        replaced_by=replaced_by,
    )
    (folder / WITHDRAWN).write_bytes(SignedWithdrawal.sign(said, consortium.coordinator_key).to_bytes())
    (folder / DATA).unlink()


@contextmanager
def shown_site(folder: Path) -> Iterator[ShownSite]:
    """Serve four datasets over real TLS: one withdrawn and audited versions, one private, one with a hostile title."""
    storage, runs = SqlStorage(f"sqlite:///{folder / 'state.db'}"), folder / "runs"
    _add_runs(storage, runs)
    with run_catalogue(folder, runs=RunPages(storage, runs)) as running:
        releases, consortium = running.releases, running.consortium
        publish(releases, consortium)
        withdraw(releases, consortium, "visits", 1, 2)
        publish(releases, consortium, make_table(rows=400, seed=8))
        audited = pending_release(releases / "visits" / "3", consortium, version=3)
        sign_release(audited, consortium, ["east", "west", "north"])
        publish(releases, consortium, name="private-visits", privacy=make_claim())
        publish(releases, consortium, make_table(rows=300, seed=9), name="other-visits")
        try:
            yield ShownSite(running, storage)
        finally:
            storage.close()


def _add_runs(storage: SqlStorage, folder: Path) -> None:
    organisations = ConsortiumInMemory()
    signed = organisations.signed_charter()
    storage.add_charter(signed.model_copy(update={"signatures": {}}))
    for member, signature in signed.signatures.items():
        storage.add_charter_signature(signed.charter.digest, member, signature)
    for run_id in (RUN_OVER, RUN):
        storage.add_run(organisations.proposal(run_id=run_id))
        storage.move_run(run_id, RunState.STARTING)
        storage.move_run(run_id, RunState.RUNNING, "sums are made")
        for record in PROGRESS:
            storage.add_progress(run_id, record)
        (folder / run_id).mkdir(parents=True)
        draw_health(PROGRESS, folder / run_id / "health.svg")
    storage.set_result(RUN_OVER, {"released": "a mixture of 4 components", "privacy": "none"})
    storage.move_run(RUN_OVER, RunState.FINISHED, "the generator is ready to be released")
