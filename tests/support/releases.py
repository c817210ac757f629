"""A charter in force, a small table and a published release, for tests of releases and catalogues."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import CHARTER_KIND, Charter, Member, SignedCharter
from headwater.agreement.signing import public_key_hex, sign
from headwater.release import Provenance, ReleaseFacts
from headwater.release.privacy_claim import Privacy
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.table import Table
from headwater_server.release import PublishedRelease, ReleaseRequest, RunFacts, publish_release
from support.drawings import drawn_once
from support.succession import following, signed_by

__all__ = ["Consortium", "facts_on", "make_consortium", "make_table", "publish"]

NOON = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Consortium:
    """A charter that everybody signed, and the key that signs releases under it."""

    charter: SignedCharter
    coordinator_key: Ed25519PrivateKey
    keys: Mapping[str, Ed25519PrivateKey] = field(default_factory=dict)
    later: list[SignedCharter] = field(default_factory=list)

    def charter_of(self, version: int | None = None) -> SignedCharter | None:
        """A version in force, as the catalogue is given it; the newest for None."""
        versions = [self.charter, *self.later]
        if version is None:
            return versions[-1]
        return versions[version - 1] if version <= len(versions) else None

    def bring_in_force(self, **changes: object) -> SignedCharter:
        """The next version, signed by every member of both."""
        newest = self.charter_of()
        if newest is None:
            raise LookupError("there is always a first version")
        charter = following(newest.charter, None, **changes)
        signed = signed_by(charter, self.coordinator_key, self.keys)
        self.later.append(signed)
        return signed

    @property
    def digest(self) -> str:
        """Of the charter."""
        return self.charter.charter.digest


def make_consortium(ca_digest: str = "0" * 64, name: str = "Three Hospitals") -> Consortium:
    """Three members with fresh keys under one signed charter."""
    coordinator = Ed25519PrivateKey.generate()
    keys = {member: Ed25519PrivateKey.generate() for member in ("east", "north", "west")}
    charter = Charter(
        version=1,
        consortium=name,
        members=tuple(
            Member(id=member, name=f"{member.title()} Hospital", identity_key=public_key_hex(key))
            for member, key in keys.items()
        ),
        coordinator_key=public_key_hex(coordinator),
        minimum_cohort=3,
        ca_digest=ca_digest,
        created="2026-11-21T09:00:00Z",
    )
    signed = SignedCharter(
        charter=charter,
        coordinator_signature=sign(coordinator, CHARTER_KIND, charter.to_bytes()),
        signatures={member: charter.signed_by(key) for member, key in keys.items()},
    )
    return Consortium(signed, coordinator, keys)


def make_table(rows: int = 500, seed: int = 7) -> Table:
    """Rows of every kind of column, with missing values; the second column's name is hostile."""
    random = np.random.default_rng(seed)
    schema = Schema(
        name="visits",
        columns=(
            NumericColumn(name="age", lower=0, upper=120, integer=True),
            NumericColumn(name="<b>crea|tinine`</b>", lower=0.0, upper=20.0, missing=True),
            CategoricalColumn(name="ward", categories=("surgery", "medicine", "intensive care"), other="medicine"),
            BooleanColumn(name="readmitted", false="no", true="yes", role="target"),
            DateColumn(name="admitted", lower=datetime.date(2020, 1, 1), upper=datetime.date(2025, 12, 31)),
        ),
    )
    level = random.lognormal(0.0, 0.4, rows)
    level[random.random(rows) < 0.1] = np.nan
    columns = {
        "age": np.rint(random.normal(60, 15, rows)).clip(0, 120),
        "<b>crea|tinine`</b>": level,
        "ward": random.integers(0, 3, rows).astype(np.int32),
        "readmitted": (random.random(rows) < 0.2).astype(np.int32),
        "admitted": random.integers(18262, 20453, rows).astype(np.float64),
    }
    return Table(schema, columns, rows)


def facts_on(table: Table, consortium: Consortium, **changes: object) -> ReleaseFacts:
    """What a card and a manifest say of version 1 of these rows, without differential privacy."""
    values: dict[str, object] = {
        "name": "visits",
        "version": 1,
        "title": "Hospital visits",
        "licence": "CC-BY-4.0",
        "created": "2026-11-21T12:00:00Z",
        "differencing": "unprotected",
        "privacy": "none",
        "provenance": Provenance(
            consortium=consortium.charter.charter.consortium,
            organisations=3,
            run_id="ab" * 16,
            plan_digest="cd" * 32,
            charter_digest=consortium.digest,
            schema_digest=table.schema.digest,
            generator_digest="ef" * 32,
            software="headwater 0",
        ),
    }
    return ReleaseFacts.model_validate(values | changes)


def publish(
    releases: Path,
    consortium: Consortium,
    table: Table | None = None,
    name: str = "visits",
    charter_digest: str = "",
    privacy: Privacy = "none",
) -> PublishedRelease:
    """Publish the next version of a dataset, as the coordinator does, under version 1 of the charter by default."""
    run = RunFacts(
        consortium=consortium.charter.charter.consortium,
        organisations=3,
        run_id="ab" * 16,
        plan_digest="cd" * 32,
        charter_digest=charter_digest or consortium.digest,
        generator_digest="ef" * 32,
        differencing="unprotected",
        privacy=privacy,
        schema_from_rows=privacy != "none" and not privacy.schema_confirmed,
    )
    request = ReleaseRequest(name=name, title="Hospital visits", description="Stays of five years in three hospitals.")
    with drawn_once():
        return publish_release(releases, table or make_table(), request, run, consortium.coordinator_key, NOON)
