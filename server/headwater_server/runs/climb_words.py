"""A mixture's climb in plain words: rounds gathered into rungs, the likelihood attack, tilts."""

from collections.abc import Mapping
from typing import Any

from headwater.mixture.attack import UNTESTED
from headwater.mixture.tilting import is_tilt

__all__ = ["RungTally", "attack_in_words", "is_climb_round", "round_in_words", "verdict_in_words"]

Record = Mapping[str, Any]


def is_climb_round(record: Record) -> bool:
    """Whether a record is of a round of expectation, climb or tilt, whose sum was taken."""
    return record.get("kind") == "expectation" and bool(record.get("accepted", True))


class RungTally:
    """Gathers the rounds of one rung into one record, for output in which a line a round is too much."""

    def __init__(self) -> None:
        """Begin below the first rung."""
        self._gathered: dict[str, Any] | None = None

    def add(self, record: Record) -> Record | None:
        """Take a round, as `is_climb_round` knows them.

        Args:
            record: with "seconds" where they are known.

        Returns:
            What the rung's last round says with "rounds", the number of them, and their "seconds" together; None
            while the rung is under way.
        """
        before = self._gathered or {}
        self._gathered = {**record, "rounds": before.get("rounds", 0) + 1}
        if "seconds" in record:
            self._gathered["seconds"] = before.get("seconds", 0.0) + record["seconds"]
        return self.close() if "passed" in record else None

    def close(self) -> Record | None:
        """What is gathered of a rung that has not come to its end, and forget it; None where nothing is."""
        gathered, self._gathered = self._gathered, None
        return gathered


def round_in_words(record: Record) -> str:
    """How large the mixture is, how likely it makes the rows, and what the attack sees.

    Args:
        record: of a round, or of a rung as `RungTally` gathers it.
    """
    parts = [f"{record['components']} components"]
    if is_tilt(record):
        parts.append(f"pairs within {record['tolerance']:g} standard deviations of their counts")
        parts.append(f"{record['acceptance']:.0%} of draws kept")
    elif (rounds := record.get("rounds", 0)) and "rung" in record:
        parts.append(f"{rounds} rounds" if rounds > 1 else "1 round")
    return ", ".join([*parts, f"log-density {record['log_density']:.3f}", attack_in_words(record)])


def attack_in_words(record: Record) -> str:
    """The likelihood attack's AUC; with its error and the plan's limit where it was held against that."""
    if record.get("reason") == UNTESTED:
        return "attack not measured"
    said = f"attack {record['attack_auc']:.3f}"
    if "attack_limit" not in record:
        return said
    most = record["attack_auc"] + record.get("attack_error", 0.0)
    return f"{said} ({most:.3f} with its standard error, limit {record['attack_limit']:.3f})"


def verdict_in_words(record: Record) -> str:
    """Whether the attack lets a rung or a tilt stand, and why not; "" for a round that does not end one."""
    if "passed" not in record:
        return ""
    if record["passed"]:
        return "within the attack's limit"
    untested = record["reason"] == UNTESTED
    said = f"not tested: {record['reason']}" if untested else "over the attack's limit"
    if is_tilt(record):
        return f"{said}; this tilt is not taken"
    # Something must stand: the lowest rung does whatever it shows.
    return f"{said}; it stands as the lowest rung" if record.get("rung") == 1 else f"{said}; this rung is not taken"
