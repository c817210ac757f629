"""What a run's history tells of the generator that it released."""

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.mixture.attack import UNTESTED

__all__ = ["released_attack"]


def released_attack(history: Sequence[Mapping[str, Any]]) -> float | None:
    """The attack that was made on the released generator: AUC of telling training from validation rows.

    Args:
        history: of a recipe that is done.

    Returns:
        That of the last judgement where refined or weighed draws were taken, else of the mixture that stands; None for
        a network, which no round attacks, and where no organisation has a validation row.
    """
    taken = [record for record in history if record["kind"] == "judge" and record["accepted"]]
    if taken:
        return float(taken[-1]["attack_auc"])
    ends = [record for record in history if "passed" in record]
    # The lowest rung stands whatever it shows.
    standing = [record for record in ends if record["passed"]][-1:] or ends[:1]
    if not standing or standing[0]["reason"] == UNTESTED:
        return None
    return float(standing[0]["attack_auc"])
