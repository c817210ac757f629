"""The checks of canaries, in their order."""

from headwater.audit.canaries.exposure import CanaryControl, CanaryExposure
from headwater.audit.canaries.one_run import OneRun
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import Check
from headwater.evidence.settings import AuditSettings

__all__ = ["canary_checks"]


def canary_checks(candidate: Candidate, settings: AuditSettings, delta: float = 1e-5) -> tuple[Check, ...]:
    """Empirical ε, exposure, and its control; none where nothing is planted.

    Args:
        candidate: the release.
        settings: of the plan.
        delta: δ of the empirical ε: the budget's, where the plan has one.
    """
    if not settings.canaries:
        return ()
    return OneRun(candidate, settings, delta), CanaryExposure(candidate, settings), CanaryControl(candidate, settings)
