"""An audit of three files from reading to verdict: what stands between the command and its report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from headwater import __version__
from headwater.agreement.documents import instant_of
from headwater.audit.artefacts import Artefacts
from headwater.audit.audit import Audited, audit
from headwater.audit.checks import all_checks
from headwater.audit.controls import Checks
from headwater.audit.rare_texts import rare_texts
from headwater.audit.report import Fact, build_page, render
from headwater.audit.running import Progress
from headwater.audit.validity import Validity
from headwater.canonical import canonical_json, sha256_hex
from headwater.cli.audit_files import AuditFiles
from headwater.cli.audit_unasked import policy_in_words
from headwater.cli.audit_words import Told, gate_lines, judgement_of, tell
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import Check
from headwater.evidence.settings import AuditSettings
from headwater.release.evidence import Evidence
from headwater.release.policy import Decision, Policy, decide
from headwater.schema import BooleanColumn, CategoricalColumn, Schema

__all__ = ["Outcome", "audit_files", "check_packages", "check_settings", "report_of"]

_PACKAGES = ("scipy", "sklearn", "lightgbm", "pandas", "fairlearn", "jinja2", "matplotlib")


@dataclass(frozen=True)
class Outcome:
    """What an audit came to.

    Attributes:
        files: that were audited.
        audited: what was found.
        evidence: the same as the document that a policy judges.
        decision: of the policy.
        policy: that decided.
        told: the verdict in plain words.
        settings: of the audit.
        seed: of its chance.
    """

    files: AuditFiles
    audited: Audited
    evidence: Evidence
    decision: Decision
    policy: Policy
    told: Told
    settings: AuditSettings
    seed: int


def check_packages() -> None:
    """Say at once what an audit lacks, not after a minute of work.

    Raises:
        InputError: a package of the extra `audit` is not installed.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f"the package {missing[0]} is not installed; pip install 'headwater[audit]' brings it")


def check_settings(settings: AuditSettings, schema: Schema) -> None:
    """Refuse groups, secrets and tasks that are no columns of the tables.

    Raises:
        InputError: a name is no column, or a group is no category.
    """
    kinds = {column.name: column for column in schema.columns}
    for option, names in (("group", settings.groups), ("secret", settings.secrets), ("task", settings.tasks)):
        for name in names:
            if name not in kinds:
                raise InputError(f"--{option} {name}: there is no such column; name one of {', '.join(kinds)}")
            if option == "group" and not isinstance(kinds[name], CategoricalColumn | BooleanColumn):
                raise InputError(f"--group {name}: a {kinds[name].kind} column has no groups; name a categorical one")


def audit_files(
    files: AuditFiles,
    synthetic: Path,
    settings: AuditSettings,
    policy: Policy,
    seed: int,
    watcher: Callable[[Progress], None],
) -> Outcome:
    """Audit, and let a policy decide.

    Args:
        files: as read.
        synthetic: the file that may be published.
        settings: of the audit.
        policy: that decides.
        seed: of all chance.
        watcher: told when each check begins and ends.

    Raises:
        InputError: a holdout that was not held out; rows that cannot be audited.
    """
    started = datetime.now(UTC)
    audited = audit(
        files.train,
        files.holdout,
        files.synthetic,
        settings,
        _checks_of(files, synthetic),
        seed=seed,
        clock=time.process_time,
        watcher=watcher,
    )
    evidence = Evidence(
        candidate=sha256_hex(synthetic.read_bytes()),
        rows=files.written.num_rows,
        settings=sha256_hex(canonical_json(settings.model_dump(mode="json"))),
        source="one holder of files",
        started=instant_of(started),
        ended=instant_of(datetime.now(UTC)),
        software=f"headwater {__version__}",
        privacy="none",
        measures=audited.measures,
        disclosures={name: about.disclosure for name, about in audited.abouts.items()},
    )
    decision = decide(evidence, policy, now=instant_of(datetime.now(UTC)))
    usual = AuditSettings()
    quick = settings.attacks < usual.attacks or settings.targets < usual.targets
    told = tell(decision, policy, evidence.measures, quick=quick)
    return Outcome(files, audited, evidence, decision, policy, told, settings, seed)


def _checks_of(files: AuditFiles, synthetic: Path) -> Checks:
    """All checks, with those of the published file itself, which no sum over organisations needs."""
    texts = rare_texts(files.private, files.schema)

    def checks(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
        return (
            Validity(candidate, settings, files.confirmed),
            Artefacts(candidate, settings, synthetic, texts),
            # That of the registry reads the rows as they were conformed; the file is what will be read by others.
            *(check for check in all_checks(candidate, settings) if check.name != Validity.name),
        )

    return checks


def report_of(outcome: Outcome, names: tuple[str, str, str]) -> str:
    """The report as one HTML page.

    Args:
        outcome: of the audit.
        names: of the files: train, holdout, synthetic.
    """
    files, evidence = outcome.files, outcome.evidence
    rows = (files.train.rows, files.holdout.rows, files.written.num_rows)
    described = [f"{name}, {count:,} rows" for name, count in zip(names, rows, strict=True)]
    guessed = ", guessed from the real rows and confirmed by nobody" if files.drafted else ""
    facts = (
        Fact("Synthetic", f"{described[2]}, SHA-256 {evidence.candidate}"),
        Fact("Training rows", described[0]),
        Fact("Holdout", f"{described[1]}: {outcome.audited.overlap.in_words()}"),
        Fact("Schema", f"{files.schema.name}, {len(files.schema.columns)} columns{guessed}"),
        *([Fact("Read with changes", "; ".join(files.notices))] if files.notices else []),
        *(
            Fact(name, ", ".join(declared))
            for name, declared in (
                ("Groups", outcome.settings.groups),
                ("Secrets", outcome.settings.secrets),
                ("Tasks", outcome.settings.tasks),
            )
            if declared
        ),
        Fact("Policy", policy_in_words(outcome.policy, outcome.decision)),
        Fact("Audited", f"{evidence.ended} by {evidence.software}, seed {outcome.seed}, {_spent(outcome)} of CPU time"),
    )
    page = build_page(
        title=f"Audit of {names[2]}",
        verdict=outcome.decision.verdict,
        headline=outcome.told.headline,
        words=outcome.told.words,
        facts=facts,
        gates=gate_lines(outcome.decision, outcome.policy, evidence.measures),
        measures=evidence.measures,
        abouts=outcome.audited.abouts,
        seconds=outcome.audited.seconds,
        judgement=judgement_of(outcome.decision, outcome.policy, evidence.measures),
    )
    return render(page)


def _spent(outcome: Outcome) -> str:
    return f"{sum(outcome.audited.seconds.values()):.0f} s"
