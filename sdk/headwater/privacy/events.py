"""What was released with noise, as data: everything that an accountant needs, and nothing of the rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE

__all__ = ["NoisyCounts", "read_charge", "write_charge"]

_KIND = "noisy-counts"
_MOST_TABLES = 1_000_000
_MOST_RECORDS = 1_000_000
_NOT_PRIVATE = {"mechanism": "none"}


@dataclass(frozen=True, slots=True)
class NoisyCounts:
    """Tables of counts, released once with discrete Gaussian noise on every cell.

    Attributes:
        variance: σ² of the noise that the sum carries for certain, in rows squared; what colluders might take away
            is not in it (protocol 2.4).
        tables: how many tables; one record adds 1 to one cell of each.
        records: most records of one protected unit: 1 for records, k for entities of at most k records.
    """

    variance: int
    tables: int
    records: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, value, most in (
            ("variance", self.variance, LARGEST_VARIANCE),
            ("tables", self.tables, _MOST_TABLES),
            ("records", self.records, _MOST_RECORDS),
        ):
            if type(value) is not int or not 1 <= value <= most:
                raise InputError(f"an event of noisy counts has {name} {value!r}, expected 1 to {most}")

    @property
    def sensitivity_squared(self) -> int:
        """Most by which one unit moves the tables together, as squared Euclidean distance: tables × records²."""
        return self.tables * self.records**2

    @property
    def zcdp(self) -> float:
        """ρ of zero-concentrated differential privacy: sensitivity² / 2σ² (Canonne, Kamath, Steinke 2020)."""
        return self.sensitivity_squared / (2 * self.variance)

    def to_document(self) -> dict[str, object]:
        """JSON values that `from_document` reads back."""
        return {"kind": _KIND, "records": self.records, "tables": self.tables, "variance": self.variance}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "NoisyCounts":
        """Read an event.

        Raises:
            InputError: of another kind, or not of this form.
        """
        if set(document) != {"kind", "records", "tables", "variance"} or document["kind"] != _KIND:
            raise InputError("this is no event of noisy counts; install the release that wrote it")
        return cls(document["variance"], document["tables"], document["records"])


def write_charge(event: NoisyCounts | None) -> bytes:
    """What a round costs a privacy ledger, in the one canonical form that Start, receipt and ledger carry.

    Args:
        event: of the round; None for one without differential privacy.
    """
    return canonical_json(_NOT_PRIVATE if event is None else event.to_document())


def read_charge(data: bytes) -> NoisyCounts | None:
    """The event that a charge states; None for a round without differential privacy, which no ε bounds.

    Raises:
        InputError: it is none, of another kind, or not in canonical form.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("this is no charge: it is not JSON; fetch it again from where it was written") from error
    if not isinstance(document, dict):
        raise InputError("this is no charge: it is other JSON; fetch it again from where it was written")
    event = None if document == _NOT_PRIVATE else NoisyCounts.from_document(document)
    if write_charge(event) != data:
        raise InputError("this charge is not in canonical form; fetch it again from where it was written")
    return event
