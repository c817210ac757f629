"""The whole audit of one person: the self-test, then every check, on three plain tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.audit.controls import ABOUT, CHECKS, Checks, depending, run_controls
from headwater.audit.overlap import Overlap, refuse_overlap
from headwater.audit.running import Clock, Progress, Watcher, run_checks
from headwater.errors import InputError
from headwater.evaluation.bias.privacy import privacy_gap
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["Audited", "audit"]

_GAP = "bias.privacy"
_ABOUT_GAP = About(
    title="Privacy of groups",
    question="Are members of some group found more easily than others?",
    knowledge="Nothing of its own: it reads what the membership attacks found.",
    statistic="True positives at 1 % false ones in the group less those of all rows, of the worst attack; 0 where all "
    "are found alike.",
    misses="Groups that nobody declared; differences that the membership attacks do not see.",
    source="Kulynych et al. 2022 (arXiv:1906.00389), disparate vulnerability",
)


@dataclass(frozen=True)
class Audited:
    """What an audit found.

    Attributes:
        measures: of all checks and of the self-test, each name once.
        abouts: what each check is, by its name.
        seconds: CPU seconds, by a check's name; "controls" for the whole self-test.
        overlap: of training rows and holdout.
    """

    measures: tuple[Measure, ...]
    abouts: Mapping[str, About]
    seconds: Mapping[str, float]
    overlap: Overlap


def audit(
    train: Table,
    holdout: Table,
    synthetic: Table,
    settings: AuditSettings,
    checks: Checks,
    *,
    seed: int,
    clock: Clock,
    watcher: Watcher = lambda progress: None,
) -> Audited:
    """Audit a synthetic table, whatever made it.

    Args:
        train: rows that the generator was fitted to.
        holdout: rows of the same law that nothing used.
        synthetic: rows that may be published.
        settings: what is attacked, and which groups, secrets and tasks are declared.
        checks: gives the checks, bound to a candidate.
        seed: of all chance; who publishes the rows must not know it before.
        clock: CPU seconds.
        watcher: told when each check begins and ends.

    Raises:
        InputError: tables of different schemas, without rows, or a holdout that was not held out. A check that fails
            raises nothing: it is inconclusive.
    """
    if not train.schema == holdout.schema == synthetic.schema:
        raise InputError("the three tables have different schemas; conform them to one")
    overlap = refuse_overlap(train, holdout)
    candidate = Candidate(synthetic)
    bound = tuple(checks(candidate, settings))
    total = len(bound) + 1
    began = clock()
    watcher(Progress(CHECKS, 0, total))
    controls = run_controls(candidate, settings, checks, seed, clock)
    spent = clock() - began
    watcher(Progress(CHECKS, 1, total, spent))

    def shifted(progress: Progress) -> None:
        watcher(Progress(progress.check, progress.done + 1, total, progress.seconds))

    found = run_checks(bound, AuditRows(train, holdout), seed, clock, shifted)
    measured = depending(found.measures, controls)
    return Audited(
        (*controls, *measured, *privacy_gap(measured)),
        {CHECKS: ABOUT, **found.abouts, _GAP: _ABOUT_GAP},
        {CHECKS: spent, **found.seconds},
        overlap,
    )
