"""A coordinator whose readers may have rows of a release drawn: bundle, release, database, desk and drawer."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headwater.agreement.access_token import new_access_token, token_digest
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import MixtureSampler
from headwater.release import Manifest, SignedManifest, write_release
from headwater.release.layout import CHECKSUMS, MANIFEST, checksums
from headwater.release.manifest import GeneratorTerms
from headwater_server.catalogue import FolderReleaseIndex
from headwater_server.release import sample_table
from headwater_server.sampling.desk import SampleDesk
from headwater_server.sampling.drawer import SampleDrawer
from headwater_server.sampling.limits import SampleLimits
from headwater_server.sampling.parts import sampling_parts
from headwater_server.sampling.worker import obey
from headwater_server.sampling.worker_process import DrawRefused, Worker
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import SqlStorage
from headwater_server.storage.access_port import SAMPLE, TokenRecord
from support.likeness import fitted_mixture
from support.releases import NOON, Consortium, facts_on, make_consortium

__all__ = ["RUN_ID", "InProcess", "SampledRelease", "release_of", "sampled_release", "small_bundle"]

RUN_ID = "ab" * 16


@dataclass
class SampledRelease:
    """What `sampled_release` set up; `clock` may be moved."""

    home: CoordinatorHome
    consortium: Consortium
    bundle: Bundle
    storage: SqlStorage
    desk: SampleDesk
    drawer: SampleDrawer
    signed: SignedManifest
    clock: list[datetime.datetime] = field(default_factory=lambda: [NOON])

    @property
    def folder(self) -> Path:
        """Of the release."""
        return self.home.releases / "visits" / "1"

    def token(self, label: str, *scopes: str) -> str:
        """A new token of somebody, by default one that may draw rows."""
        token = new_access_token()
        record = TokenRecord(
            token_id=token_digest(token)[:8],
            label=label,
            sha256=token_digest(token),
            scopes=scopes or (SAMPLE,),
            created="2026-11-21T12:00:00Z",
            expires="2099-01-01T00:00:00Z",
        )
        self.storage.add_token(record)
        return token

    @property
    def index(self) -> FolderReleaseIndex:
        """As the catalogue looks releases up."""
        return FolderReleaseIndex(self.home.releases)


class InProcess:
    """Follows orders here and now: starting a process takes seconds, which few tests are about."""

    def __init__(self, memory_mib: int) -> None:
        self.orders: list[Mapping[str, object]] = []

    def obey(
        self,
        order: Mapping[str, object],
        seconds: float,
        on_rows: Callable[[int], None] = lambda _rows: None,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, object] | None:
        """As `WorkerProcess.obey`, without its limits."""
        self.orders.append(order)

        def tell(rows: int) -> None:
            on_rows(rows)
            if unwanted():
                raise KeyboardInterrupt

        try:
            answer: Any = obey(order, tell)
        except KeyboardInterrupt:
            return None
        if "refused" in answer:
            raise DrawRefused(answer["refused"]["code"], answer["refused"]["message"])
        done: Mapping[str, object] = answer["done"]
        return done

    def rest(self, seconds: float) -> None:
        """Nothing to give back."""

    def stop(self) -> None:
        """Nothing to end."""


def small_bundle(rows: int = 800) -> Bundle:
    """A mixture fitted to the small table."""
    mixture, encoding = fitted_mixture(rows)
    return Bundle(MixtureSampler(mixture), encoding)


def release_of(
    folder: Path, consortium: Consortium, bundle: Bundle, terms: GeneratorTerms = "on request"
) -> SignedManifest:
    """Write version 1 of a dataset of a bundle's rows, under terms of its generator that nobody audited.

    `write_release` would refuse them: they need a budget and an audit, which cost minutes. The catalogue serves what
    is signed.
    """
    table = sample_table(bundle.sampler, bundle.encoding, 300, 5)
    facts = facts_on(table, consortium)
    provenance = facts.provenance.model_copy(update={"generator_digest": bundle.digest})
    folder.parent.mkdir(parents=True, exist_ok=True)
    facts = facts.model_copy(update={"provenance": provenance})
    manifest = write_release(folder, table, facts, consortium.coordinator_key).manifest
    if terms == "kept":
        return SignedManifest.sign(manifest, consortium.coordinator_key)
    update = {"format": "headwater-release/4", "generator": terms}
    told = Manifest.model_validate(manifest.model_dump() | update)
    signed = SignedManifest.sign(told, consortium.coordinator_key)
    (folder / MANIFEST).write_bytes(signed.to_bytes())
    (folder / CHECKSUMS).write_bytes(checksums(told.files, signed.to_bytes()))
    return signed


@contextmanager
def sampled_release(
    folder: Path,
    bundle: Bundle,
    limits: SampleLimits | None = None,
    terms: GeneratorTerms = "on request",
    consortium: Consortium | None = None,
    worker: Callable[[int], Worker] | None = None,
) -> Iterator[SampledRelease]:
    """A coordinator's folder with a run's bundle and a release of it; nothing serves and nothing draws by itself."""
    consortium = consortium or make_consortium()
    home = CoordinatorHome(folder)
    (home.runs / RUN_ID).mkdir(parents=True)
    bundle.save(home.runs / RUN_ID / "generator")
    signed = release_of(home.releases / "visits" / "1", consortium, bundle, terms)
    storage = SqlStorage(f"sqlite:///{folder / 'state.db'}")
    clock = [NOON]
    desk, drawer = sampling_parts(
        home,
        limits or SampleLimits(),
        storage,
        FolderReleaseIndex(home.releases).standing,
        consortium.coordinator_key,
        lambda: clock[0],
        worker or InProcess,
    )
    try:
        yield SampledRelease(home, consortium, bundle, storage, desk, drawer, signed, clock)
    finally:
        desk.close()
        drawer.close()
        storage.close()
