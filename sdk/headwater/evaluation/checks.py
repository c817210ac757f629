"""Every measurement of the evaluation, bound to one candidate."""

from collections.abc import Callable

from headwater.evaluation.bias.odds import Odds
from headwater.evaluation.bias.parity import Parity
from headwater.evaluation.bias.shares import GroupRatio, Intersections
from headwater.evaluation.bias.usefulness import GroupUsefulness
from headwater.evaluation.combinations import Invented, Reached
from headwater.evaluation.curve_check import CurveCheck
from headwater.evaluation.density import Density
from headwater.evaluation.distinguishable import Distinguishable
from headwater.evaluation.marginals import Marginals
from headwater.evaluation.modes import Modes
from headwater.evaluation.usefulness_check import UsefulnessCheck
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import Check
from headwater.evidence.settings import AuditSettings

__all__ = ["EVALUATIONS", "evaluations"]

EVALUATIONS: tuple[Callable[[Candidate, AuditSettings], Check], ...] = (
    Marginals,
    Distinguishable,
    Modes,
    Reached,
    Invented,
    Density,
    UsefulnessCheck,
    CurveCheck,
    GroupRatio,
    Intersections,
    Parity,
    Odds,
    GroupUsefulness,
)
"""All kinds, in the order of a report; those that cannot be summed have `federated` False."""


def evaluations(candidate: Candidate, settings: AuditSettings) -> tuple[Check, ...]:
    """All of them, bound.

    `headwater.evaluation.bias.privacy.privacy_gap` reads the measures of membership attacks and is no check itself.

    Raises:
        InputError: a declared group or task is no column that can be one.
    """
    return tuple(kind(candidate, settings) for kind in EVALUATIONS)
