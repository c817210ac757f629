"""The own audit of a release that waits: this organisation's rows, and nothing of it leaves but a verdict by gate."""

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from headwater import __version__
from headwater.agreement.charter import Charter
from headwater.agreement.documents import instant_of
from headwater.agreement.plan import Plan
from headwater.agreement.release_decision import OwnVerdict
from headwater.audit.artefacts import Artefacts
from headwater.audit.audit import audit
from headwater.audit.checks import all_checks
from headwater.audit.membership.latent import LatentAttack
from headwater.audit.rare_texts import RareTexts
from headwater.audit.running import Watcher
from headwater.contribution.auditing import audit_rows
from headwater.errors import InputError, StorageError
from headwater.evidence.candidate import Candidate
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.generator.bundle import Bundle
from headwater.release.audit_check import policy_of
from headwater.release.audit_file import InternalAudit, PublishedAudit
from headwater.release.evidence import PUBLIC, Evidence
from headwater.release.policy.decision import Decision
from headwater.release.policy.document import Policy
from headwater.release.policy.gate import decide
from headwater.schema.table import Table
from headwater_client.released_generator import attack_generator

__all__ = ["OwnAudit", "audit_own_rows", "read_own_audit", "write_own_audit"]

_FILE = "audit-internal.json"


@dataclass(frozen=True, slots=True)
class OwnAudit:
    """What the own rows say of a release.

    Attributes:
        document: every figure, and what the plan's policy makes of them; it stays in this organisation's home.
        verdicts: by gate; "not applicable" where the own rows have nothing to say.
        of_rows: gates of which the own rows were asked, in order.
        left: gates that nobody but this organisation judges on its rows, since under a budget no figure of them leaves.
    """

    document: InternalAudit
    verdicts: Mapping[str, OwnVerdict]
    left: tuple[str, ...] = ()
    of_rows: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """Gates that the own rows say are failed and that nobody waived, in order."""
        waived = {result.gate for result in self.document.decision.gates if result.waived}
        return tuple(gate for gate, said in self.verdicts.items() if said == "fail" and gate not in waived)

    @property
    def decides_nothing(self) -> bool:
        """Whether the own rows were too few for every check that asked them."""
        asked = _asked(self.document.evidence)
        return bool(asked) and not any(measure.status == "measured" for measure in asked)

    @property
    def of_generator(self) -> bool:
        """Whether the generator itself was attacked, whatever came of it."""
        return any(measure.check == LatentAttack.name for measure in self.document.evidence.measures)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Gates that the own rows were asked of and did not decide, in order."""
        return tuple(gate for gate in self.of_rows if self.verdicts[gate] == "inconclusive")

    @property
    def unshown(self) -> tuple[str, ...]:
        """What the own rows are too few to show of gates that are left to them, a line each."""
        return tuple(
            f"{result.gate} {result.title.lower()}: {'; '.join(result.reasons)}"
            for result in self.document.decision.gates
            if result.gate in self.left and result.outcome == "inconclusive"
        )


def audit_own_rows(
    rows: Table,
    candidate: Table,
    plan: Plan,
    common: PublishedAudit,
    charter: Charter,
    watcher: Watcher = lambda progress: None,
    *,
    published: Path | None = None,
    texts: RareTexts | None = None,
    bundle: Bundle | None = None,
) -> OwnAudit:
    """Attack a release with this organisation's rows: those for training and those that were kept for audits.

    Args:
        rows: all of the organisation's rows, of the plan's schema.
        candidate: the synthetic rows of the release.
        plan: as approved here, with an audit.
        common: content of the release's audit.json, checked.
        charter: of the run.
        watcher: told when each check begins and ends.
        published: folder with the very files that will be published, which are scanned; None scans none.
        texts: of the own rows, that must be in none of them.
        bundle: the generator, where the release publishes it: it is attacked as well.

    Raises:
        InputError: the plan has no audit, or the rows are none or share too many between their parts.
    """
    if plan.audit == "none":
        raise InputError(f"plan {plan.name} has no audit, so that no release can come of its runs")
    started = datetime.now(UTC)
    own, _ = audit_rows(rows, plan.splits)
    # Who sampled the release must not have known which rows are attacked with which chance.
    found = audit(
        own.train,
        own.holdout,
        candidate,
        plan.audit.settings,
        all_checks if plan.privacy == "none" else partial(all_checks, delta=plan.privacy.delta),
        seed=secrets.randbits(63),
        clock=time.process_time,
        watcher=watcher,
    )
    scanned = () if published is None else _scan(candidate, plan.audit.settings, published, texts)
    asked = None
    if bundle is not None:
        settings, seed = plan.audit.settings, secrets.randbits(63)
        asked = attack_generator(bundle, own.train, own.holdout, candidate, settings, seed, watcher)
    of_generator, about_generator = ((), {}) if asked is None else (asked.measures, asked.abouts)
    now = instant_of(datetime.now(UTC))
    evidence = Evidence(
        candidate=common.candidate,
        rows=candidate.rows,
        settings=common.settings,
        source="one organisation for itself",
        organisations=1,
        started=instant_of(started),
        ended=now,
        software=f"headwater {__version__}",
        privacy=common.privacy,
        federation=common.federation,
        licence_stated=common.licence_stated,
        measures=(*found.measures, *of_generator, *scanned),
        disclosures={name: about.disclosure for name, about in {**found.abouts, **about_generator}.items()}
        | {Artefacts.name: Artefacts.about.disclosure},
    )
    policy = policy_of(common)
    decision = decide(evidence, policy, common.waivers, now=now, keys=charter.keys)
    document = InternalAudit(evidence=evidence, decision=decision, waivers=common.waivers, attempts=common.attempts)
    return _own(document, policy)


def _scan(candidate: Table, settings: AuditSettings, published: Path, texts: RareTexts | None) -> tuple[Measure, ...]:
    return Artefacts(Candidate(candidate), settings, published, texts).read(np.zeros(0, np.int64))


def write_own_audit(folder: Path, own: OwnAudit) -> Path:
    """Keep an own audit for this organisation's people alone; the one before is replaced.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    file, draft = folder / _FILE, folder / f".{_FILE}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(own.document.to_bytes())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise StorageError(f"{file} cannot be written ({error.strerror}); free the disk") from error
    return file


def read_own_audit(folder: Path, common: PublishedAudit) -> OwnAudit | None:
    """The own audit that was kept of a release; None where none was made of this very candidate.

    Args:
        folder: of the release in this organisation's home.
        common: content of the release's audit.json, checked.

    Raises:
        InputError: the file was changed.
    """
    file = folder / _FILE
    if not file.is_file():
        return None
    document = InternalAudit.from_bytes(file.read_bytes())
    if document.evidence.candidate != common.candidate:
        return None
    return _own(document, policy_of(common))


def _own(document: InternalAudit, policy: Policy) -> OwnAudit:
    left = () if document.evidence.privacy == "none" else policy.left_to_organisations
    asked = _asked(document.evidence)
    of_rows = tuple(gate.id for gate in policy.gates if any(rule.takes(each) for rule in gate.rules for each in asked))
    return OwnAudit(document, _verdicts(policy, document.evidence, document.decision), left, of_rows)


def _asked(evidence: Evidence) -> list[Measure]:
    """Figures of which real rows are asked, where there is anything to ask."""
    return [
        measure
        for measure in evidence.measures
        if measure.check.split(".")[0] not in PUBLIC and measure.status != "not applicable"
    ]


def _verdicts(policy: Policy, evidence: Evidence, decision: Decision) -> dict[str, OwnVerdict]:
    verdicts: dict[str, OwnVerdict] = {}
    for gate in policy.gates:
        result = decision.result(gate.id)
        # What only the consortium can measure, such as planted rows, is not held against the own audit.
        measured = any(rule.takes(measure) for rule in gate.rules for measure in evidence.measures)
        verdicts[gate.id] = result.outcome if result is not None and measured else "not applicable"
    return verdicts
