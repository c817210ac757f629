"""What the self-test of an audit expects: which check must find which fault, and which must keep quiet without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headwater.evidence.measure import Measure

__all__ = ["EXPECTATIONS", "MEMBERSHIP", "QUIET", "Expectation", "begins"]

_OR = " or "


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a table with a known fault must show.

    Attributes:
        table: name of its maker.
        kinds: checks by any of which it must be found, those of one kind together, since kinds share the error: many
            attacks of one kind take no more of it than one of another. A name stands for all checks that begin with it.
        subjects: of the kinds' measures, only these; of a kind that is not named, all.
        blinds: whose measures are worth nothing where the fault is missed; empty for all checks of the kinds.
    """

    table: str
    kinds: tuple[tuple[str, ...], ...]
    subjects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    blinds: tuple[tuple[str, str], ...] = ()

    @property
    def checks(self) -> tuple[str, ...]:
        """Of all kinds."""
        return tuple(name for kind in self.kinds for name in kind)

    @property
    def subject(self) -> str:
        """How measures name it."""
        return _OR.join(self.checks)

    def own(self, found: Sequence[Measure]) -> list[list[Measure]]:
        """What speaks of the fault among measures of its table, by kind."""
        return [[measure for measure in found if self._speaks(measure, kind)] for kind in self.kinds]

    def _speaks(self, measure: Measure, kind: tuple[str, ...]) -> bool:
        names = [name for name in kind if begins(measure.check, name)]
        return bool(names) and all(measure.subject in self.subjects.get(name, (measure.subject,)) for name in names)


MEMBERSHIP = ("membership.nearest", "membership.domias-1", "membership.domias-5", "membership.classifier")

_ALL_ROWS = dict.fromkeys(MEMBERSHIP, ("",))
_OUTLIERS = dict.fromkeys(MEMBERSHIP, ("outliers",))

EXPECTATIONS: tuple[Expectation, ...] = (
    # As the gate reads them: the strongest attack counts. On few rows the classifier alone would miss even this.
    Expectation("memoriser", (MEMBERSHIP,), _ALL_ROWS),
    *(Expectation("memoriser", ((name,),)) for name in ("linkability", "inference", "copies.near")),
    Expectation("copier", (MEMBERSHIP,), _ALL_ROWS),
    Expectation("copier", (("copies.near",),)),
    Expectation("partial", (("copies.partial",),)),
    # Twenty rows are few for any single look; whoever misses them all can clear no outlier, and may clear all else.
    Expectation(
        "outliers",
        (MEMBERSHIP, ("copies.near",), ("copies.rare",)),
        _OUTLIERS,
        tuple((name, "outliers") for name in MEMBERSHIP),
    ),
    Expectation("shifted", (("inference",),)),
    Expectation("biased", (("bias.ratio",),)),
)
"""Which check must find which fault."""

QUIET = (*MEMBERSHIP, "linkability", "inference", "copies.near", "copies.rare", "copies.partial", "bias.ratio")
"""What must stay quiet about the table without a fault."""


def begins(name: str, start: str) -> bool:
    """Whether a check or measure is of that name, or of a part of it."""
    return name == start or name.startswith(start + ".")
