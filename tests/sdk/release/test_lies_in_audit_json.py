"""What audit.json says against its manifest or itself: one lie at a time, which everybody has signed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from headwater.agreement.charter import Charter
from headwater.errors import ReleaseRefused
from headwater.release.audit_file import PublishedAudit
from headwater.release.audited import read_audit
from headwater.release.layout import MANIFEST
from headwater.release.manifest import Manifest
from headwater.release.verification import read_manifest
from support.audited_release import pending_release
from support.releases import make_consortium, make_table

SCHEMA = make_table(1).schema
Lie = Callable[[PublishedAudit, Manifest], tuple[PublishedAudit, Manifest]]


class Honest(NamedTuple):
    audit: PublishedAudit
    manifest: Manifest
    charter: Charter


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    consortium = make_consortium()
    pending = pending_release(tmp_path_factory.mktemp("release") / "1", consortium)
    manifest = read_manifest((pending.folder / MANIFEST).read_bytes()).manifest
    return Honest(pending.audit, manifest, consortium.charter.charter)


def audit(**changes: Any) -> Lie:
    return lambda told, manifest: (told.model_copy(update=changes), manifest)


def facts(**changes: Any) -> Lie:
    def lie(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
        assert told.federation != "none"
        return told.model_copy(update={"federation": told.federation.model_copy(update=changes)}), manifest

    return lie


def decision(**changes: Any) -> Lie:
    return lambda told, manifest: (
        told.model_copy(update={"decision": told.decision.model_copy(update=changes)}),
        manifest,
    )


def attempt(**changes: Any) -> Lie:
    def lie(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
        *others, last = told.attempts
        return told.model_copy(update={"attempts": (*others, last.model_copy(update=changes))}), manifest

    return lie


def of_nine(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
    """More organisations than the charter has, on both sides."""
    provenance = manifest.provenance.model_copy(update={"organisations": 9})
    return facts(organisations=9)(told, manifest.model_copy(update={"provenance": provenance}))


def claims(**changes: Any) -> Lie:
    """A manifest that tells something else of the audit."""

    def lie(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
        claim = manifest.protection.audit
        assert claim != "none"
        protection = manifest.protection.model_copy(update={"audit": claim.model_copy(update=changes)})
        return told, manifest.model_copy(update={"protection": protection})

    return lie


def without_budget(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
    protection = manifest.protection.model_copy(update={"privacy": "none"})
    return told, manifest.model_copy(update={"protection": protection})


def stated(told: PublishedAudit, manifest: Manifest) -> tuple[PublishedAudit, Manifest]:
    """Figures of facts that are not the audit's own: a licence that nobody stated."""
    return told.model_copy(update={"licence_stated": not told.licence_stated}), manifest


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (audit(candidate="b" * 64), "is on another table than"),
        (audit(rows=7), "is on another table than"),
        (audit(federation="none"), "is of plain files"),
        (facts(organisations=2), "on a run of other organisations"),
        (of_nine, "on a run of other organisations"),
        (audit(organisations=4), "counts rows of"),
        (without_budget, "contradict each other on whether there is an ε"),
        (decision(candidate="b" * 64), "the decision in .* is on another table than its figures"),
        (decision(decided="2026-11-21T12:30:01Z"), "before the audit ended or after the release"),
        (decision(decided="2020-01-01T00:00:00Z"), "before the audit ended or after the release"),
        (stated, "on ledger and licence are not its own facts"),
        (attempt(candidate="b" * 64), "the last attempt .* is not the decision"),
        (attempt(policy="b" * 64), "the last attempt .* is not the decision"),
        (attempt(verdict="not finished"), "the last attempt .* is not the decision"),
        (attempt(failing=("G6",)), "the last attempt .* is not the decision"),
        (attempt(when="2026-11-21T12:00:01Z"), "the last attempt .* is not the decision"),
        (claims(verdict="pass with warnings"), "the manifest tells something else of the audit"),
        (claims(attempts=1), "the manifest tells something else of the audit"),
    ],
)
def test_each_lie_is_refused_by_its_name(honest: Honest, lie: Lie, words: str) -> None:
    told, manifest = lie(honest.audit, honest.manifest)
    with pytest.raises(ReleaseRefused, match=words):
        read_audit(told.to_bytes(), manifest, honest.charter, SCHEMA)


def test_without_a_lie_it_is_read(honest: Honest) -> None:
    assert read_audit(honest.audit.to_bytes(), honest.manifest, honest.charter, SCHEMA) == honest.audit
