"""Which checks an audit has, in their one order: coordinator and organisations count by it alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.checks import canary_checks
from headwater.audit.copies import NearCopies
from headwater.audit.inference import Inference
from headwater.audit.linkability import Linkability
from headwater.audit.membership.classifier import ClassifierAttack
from headwater.audit.membership.domias import DomiasAttack
from headwater.audit.membership.nearest import NearestAttack
from headwater.audit.partial_copies import PartialCopies
from headwater.audit.rare_echoes import RareEchoes
from headwater.audit.running import Unmade
from headwater.audit.validity import Validity
from headwater.errors import InputError
from headwater.evaluation.checks import EVALUATIONS
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["all_checks", "federated_checks", "read_counts"]

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _One:
    """Makes one check."""

    name: str
    kind: Callable[..., Check]
    more: tuple[int, ...] = ()

    def __call__(self, candidate: Candidate, settings: AuditSettings) -> tuple[Check, ...]:
        return (self.kind(candidate, settings, *self.more),)


def _ones(*kinds: Callable[[Candidate, AuditSettings], Check]) -> tuple[_One, ...]:
    return tuple(_One(str(kind.name), kind) for kind in kinds)  # type: ignore[attr-defined]


_REGISTRY: tuple[Callable[[Candidate, AuditSettings], Sequence[Check]], ...] = (
    canary_checks,
    *_ones(NearestAttack),
    _One("membership.domias-1", DomiasAttack, (1,)),
    _One("membership.domias-5", DomiasAttack, (5,)),
    *_ones(ClassifierAttack, Linkability, Inference, NearCopies, RareEchoes, PartialCopies),
    # Whoever knows the file that was written asks this again of what is read back, and scans it for artefacts.
    *_ones(Validity),
    *_ones(*EVALUATIONS),
)


def all_checks(candidate: Candidate, settings: AuditSettings, delta: float = 1e-5) -> tuple[Check, ...]:
    """Every check that one holder of rows can make.

    One that cannot be made, whatever it dies of, is there all the same and says so when it is asked to count.

    Args:
        candidate: what is audited.
        settings: of the plan.
        delta: δ of the empirical ε: the budget's, where the plan has one.

    Returns:
        In an order that schema and settings alone fix.
    """
    of_canaries = partial(canary_checks, delta=delta)
    makers = (of_canaries if make is canary_checks else make for make in _REGISTRY)
    return tuple(check for make in makers for check in _made(make, candidate, settings))


def _made(
    make: Callable[[Candidate, AuditSettings], Sequence[Check]], candidate: Candidate, settings: AuditSettings
) -> Sequence[Check]:
    try:
        return make(candidate, settings)
    except Exception as error:  # noqa: BLE001 - one check that cannot be made must not take the others along
        return (Unmade(make.name if isinstance(make, _One) else "canaries", error),)


def federated_checks(candidate: Candidate, settings: AuditSettings) -> tuple[Check, ...]:
    """Those whose counts add up over organisations, in the order in which a sum holds them.

    Raises:
        InputError: the settings name what the schema has not. All who take part must have the very same checks.
    """
    every = (check for make in _REGISTRY for check in make(candidate, settings))
    return tuple(check for check in every if getattr(check, "federated", True))


def read_counts(checks: Sequence[Check], counts: I64) -> tuple[Measure, ...]:
    """What the counts of several checks say, one behind the other.

    Args:
        checks: that counted.
        counts: int64, shape (sum of the checks' sizes,): of one holder of rows, or a sum over several.

    Raises:
        InputError: of another length, or they cannot be a sum of counts of these checks.
    """
    if counts.shape != (sum(check.size for check in checks),):
        raise InputError(f"{counts.shape} counts do not belong to these checks; compare the versions")
    ends = np.cumsum([check.size for check in checks])
    parts = np.split(counts, ends[:-1]) if checks else []
    return tuple(measure for check, part in zip(checks, parts, strict=True) for measure in check.read(part))
