"""Which figures an audit has, by schema and settings alone: one that is missing was left out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from headwater.audit.canaries.planting import RUNGS
from headwater.audit.controls import CHECKS
from headwater.audit.expectations import EXPECTATIONS, MEMBERSHIP, QUIET
from headwater.audit.inference import secrets_of
from headwater.audit.membership.subjects import subjects_of
from headwater.evaluation.bias.groups import GroupColumn, groups_in
from headwater.evaluation.bias.shares import MOST_MEASURES, MOST_PAIRS
from headwater.evaluation.figures import label
from headwater.evaluation.tasks import task_names
from headwater.evidence.measure import Status
from headwater.evidence.settings import AuditSettings
from headwater.schema.schema import Schema

__all__ = ["Expected", "contradicted", "expected_figures", "lacking"]

Name = tuple[str, str]
"""Check and subject."""

_ALONE = ("linkability", "copies.near", "copies.partial", "artefacts", "validity", "coverage.modes", "coverage.2-way")
_WHOLE = ("coverage.invented-3-way", "marginals.1-way", "marginals.2-way", "marginals.3-way")
_NO_SELF_TEST = (f"{CHECKS}.rows", "")


@dataclass(frozen=True, slots=True)
class Expected:
    """A figure that an audit has, whatever the rows are.

    Attributes:
        check: of the measure.
        subject: by which a missing one is named.
        others: subjects that do as well: which groups of a column are large enough, only the rows can say.
        applies: whatever the rows are, it is not "not applicable".
    """

    check: str
    subject: str = ""
    others: frozenset[str] = frozenset()
    applies: bool = False

    def is_met(self, names: Collection[Name]) -> bool:
        """Whether one of these is the figure."""
        return any((self.check, subject) in names for subject in (self.subject, *self.others))


def expected_figures(schema: Schema, settings: AuditSettings) -> tuple[Expected, ...]:
    """What an audit of a table of this schema has, of checks that count in sums and of the self-test.

    Args:
        schema: of the plan.
        settings: of the plan; of them groups, secrets, tasks and whether canaries are planted.

    Raises:
        InputError: a declared column is none of the schema, or none of its kind.
    """
    subjects = subjects_of(schema, settings)
    found = [Expected(name) for name in (*_ALONE, *_WHOLE)]
    found += [
        Expected(attack, subject.name, applies=not subject.is_group) for attack in MEMBERSHIP for subject in subjects
    ]
    found += [Expected("inference", secret.name) for secret in secrets_of(schema, settings)] or [Expected("inference")]
    found += [Expected("copies.rare", subject) for subject in ("values", "combinations")]
    tasks = task_names(schema, settings)
    found += [Expected("usefulness", label(task)) for task in tasks] or [Expected("usefulness")]
    found += _bias(groups_in(schema, settings), tasks)
    found += [Expected(f"{CHECKS}.{wish.table}", wish.subject, frozenset([""])) for wish in EXPECTATIONS]
    found += [Expected(f"{CHECKS}.safe", name) for name in QUIET]
    if settings.canaries:
        found += [Expected("canaries.exposure", subject) for subject in ("", *(f"dose={rung}" for rung in RUNGS))]
    return tuple(found)


def lacking(expected: Sequence[Expected], figures: Mapping[Name, Status]) -> tuple[Expected, ...]:
    """Those that are not among the figures of an audit.

    Args:
        expected: of `expected_figures`.
        figures: status of each figure by its name.
    """
    # One figure says that there were too few rows for any self-test, and stops a release by that; were it measured or
    # not applicable, it would stand for every control and stop nothing.
    untried = figures.get(_NO_SELF_TEST) == "inconclusive"
    return tuple(
        each for each in expected if not each.is_met(figures) and not (untried and each.check.startswith(f"{CHECKS}."))
    )


def contradicted(expected: Sequence[Expected], figures: Mapping[Name, Status]) -> frozenset[Name]:
    """Figures that call themselves "not applicable" and cannot be.

    All rows and outliers are in every table. A group that one attack could measure has rows for each other attack that
    could score any: they try as many, drawn by a chance of their own, so that a few rows alone may be missed by one.

    Args:
        expected: of `expected_figures`.
        figures: status of each figure by its name.
    """
    measured = {subject for (check, subject), status in figures.items() if check in MEMBERSHIP and status == "measured"}
    found = set()
    for each in expected:
        name = (each.check, each.subject)
        scores = each.check in MEMBERSHIP and figures.get((each.check, "")) == "measured"
        if figures.get(name) == "not applicable" and (each.applies or (scores and each.subject in measured)):
            found.add(name)
    return frozenset(found)


def _bias(columns: Sequence[GroupColumn], tasks: Sequence[str]) -> list[Expected]:
    if not columns:
        return [Expected(f"bias.{kind}") for kind in ("ratio", "intersections", "parity", "odds", "usefulness")]
    found = [Expected("bias.ratio", label(column.name), _groups(column)) for column in columns]
    pairs = list(combinations(columns, 2))[:MOST_PAIRS]
    cells = sum(len(left.categories) * len(right.categories) for left, right in pairs)
    # The smallest intersections are left out where there are many: which, only the rows can say.
    told = pairs if cells <= MOST_MEASURES else []
    found += [_pair(left, right) for left, right in told]
    if not pairs:
        found.append(Expected("bias.intersections"))
    of_tasks = [(task, column) for task in tasks for column in columns if task != column.name]
    for kind in ("parity", "odds", "usefulness"):
        found += [
            Expected(
                f"bias.{kind}",
                f"{label(task)}: {label(column.name)}",
                frozenset(f"{label(task)}: {group}" for group in _groups(column)),
            )
            for task, column in of_tasks
        ] or [Expected(f"bias.{kind}")]
    return found


def _pair(left: GroupColumn, right: GroupColumn) -> Expected:
    others = frozenset(f"{one} & {other}" for one in _groups(left) for other in _groups(right))
    return Expected("bias.intersections", f"{label(left.name)} & {label(right.name)}", others)


def _groups(column: GroupColumn) -> frozenset[str]:
    return frozenset(column.subject(code) for code in range(len(column.categories)))
