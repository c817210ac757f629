"""What was released with noise, as data: everything that an accountant needs, and nothing of the rows."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE
from headwater.privacy.poisson_sample import WHOLE_RATE

__all__ = [
    "LARGEST_SENSITIVITY",
    "MOST_SAMPLED_RECORDS",
    "Event",
    "NoisyCounts",
    "NoisyGradients",
    "event_of",
    "read_charge",
    "write_charge",
]

MOST_SAMPLED_RECORDS = 32
"""Of one unit, where rows are sampled: the loss is a mixture over how many of them are."""

LARGEST_SENSITIVITY = 2**16
"""Of a sum of gradients to one record, in units: so large, float32 adds up 256 of them without an error."""

_NOT_PRIVATE = {"mechanism": "none"}
_COUNTS, _GRADIENTS = "noisy-counts", "noisy-gradients"
_MOST_TABLES = 250_000
# At as many organisations as a charter may have, each with as many records of a person as a budget may have.
_MOST_RECORDS = 10_000_000
_MOST_STEPS = 1_000_000
_MOST_SUMMED_VARIANCE = 2**53
# What continuous noise of σ² − 4 becomes by rounding is discrete noise of σ²; see the decision on private gradients.
_LOST_TO_ROUNDING = 4


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
        _check("counts", "variance", self.variance, LARGEST_VARIANCE)
        _check("counts", "tables", self.tables, _MOST_TABLES)
        _check("counts", "records", self.records, _MOST_RECORDS)

    @property
    def sensitivity_squared(self) -> int:
        """Most by which one unit moves the tables together, as squared Euclidean distance: tables × records²."""
        return self.tables * self.records**2

    @property
    def zcdp(self) -> float:
        """ρ of zero-concentrated differential privacy: sensitivity² / 2σ² (Canonne, Kamath, Steinke 2020)."""
        return self.sensitivity_squared / (2 * self.variance)

    @property
    def least_rho(self) -> float:
        """What no accountant finds less than, nearly: ρ itself."""
        return self.zcdp

    def to_document(self) -> dict[str, object]:
        """JSON values that `from_document` reads back."""
        return {"kind": _COUNTS, "records": self.records, "tables": self.tables, "variance": self.variance}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "NoisyCounts":
        """Read an event.

        Raises:
            InputError: of another kind, or not of this form.
        """
        if set(document) != {"kind", "records", "tables", "variance"} or document["kind"] != _COUNTS:
            raise InputError("this is no event of noisy counts; install the release that wrote it")
        return cls(document["variance"], document["tables"], document["records"])


@dataclass(frozen=True, slots=True)
class NoisyGradients:
    """Sums of clipped gradients over Poisson samples, each released once with discrete Gaussian noise on every value.

    Attributes:
        variance: σ² of the noise that each sum carries for certain, in units squared (protocol 2.4).
        sensitivity: Euclidean norm that a record's whole numbers have at most, in units.
        rate: chance of each record to be in a sum, in parts of `WHOLE_RATE`.
        steps: how many sums.
        records: most records of one protected unit; each is sampled on its own.
    """

    variance: int
    sensitivity: int
    rate: int
    steps: int
    records: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check("gradients", "variance", self.variance, _MOST_SUMMED_VARIANCE, 2 * _LOST_TO_ROUNDING)
        _check("gradients", "sensitivity", self.sensitivity, LARGEST_SENSITIVITY)
        _check("gradients", "rate", self.rate, WHOLE_RATE)
        _check("gradients", "steps", self.steps, _MOST_STEPS)
        _check("gradients", "records", self.records, MOST_SAMPLED_RECORDS)

    @property
    def share(self) -> float:
        """Of the records, that a sum is over on average: q."""
        return self.rate / WHOLE_RATE

    @property
    def noise_multiplier(self) -> float:
        """σ of continuous noise that protects no more than this, over the sensitivity to one record."""
        return math.sqrt(self.variance - _LOST_TO_ROUNDING) / self.sensitivity

    @property
    def zcdp(self) -> float:
        """ρ of zero-concentrated differential privacy, which knows no amplification by sampling."""
        return self.steps * (self.records * self.sensitivity) ** 2 / (2 * self.variance)

    @property
    def least_rho(self) -> float:
        """ρ of sums without chance that move by what a sampled record moves them on average.

        Many sampled steps tend to a Gaussian mechanism of ρ = steps · share² · (exp(1 / noise²) − 1) / 2, which is more
        (Bu et al. 2020, arXiv:1911.11607, section 3).
        """
        return self.share**2 * self.zcdp

    def to_document(self) -> dict[str, object]:
        """JSON values that `from_document` reads back."""
        return {
            "kind": _GRADIENTS,
            "rate": self.rate,
            "records": self.records,
            "sensitivity": self.sensitivity,
            "steps": self.steps,
            "variance": self.variance,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "NoisyGradients":
        """Read an event.

        Raises:
            InputError: of another kind, or not of this form.
        """
        fields = {"rate", "records", "sensitivity", "steps", "variance"}
        if set(document) != {"kind", *fields} or document["kind"] != _GRADIENTS:
            raise InputError("this is no event of noisy gradients; install the release that wrote it")
        return cls(**{name: document[name] for name in fields})


Event = NoisyCounts | NoisyGradients
"""Everything that an accountant adds up."""


def event_of(document: Mapping[str, Any]) -> Event:
    """Read an event of any kind.

    Raises:
        InputError: of no kind that this release knows, or not of its form.
    """
    if document.get("kind") == _GRADIENTS:
        return NoisyGradients.from_document(document)
    return NoisyCounts.from_document(document)


def write_charge(event: Event | None) -> bytes:
    """What a round costs a privacy ledger, in the one canonical form that Start, receipt and ledger carry.

    Args:
        event: of the round; None for one without differential privacy.
    """
    return canonical_json(_NOT_PRIVATE if event is None else event.to_document())


def read_charge(data: bytes) -> Event | None:
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
    event = None if document == _NOT_PRIVATE else event_of(document)
    if write_charge(event) != data:
        raise InputError("this charge is not in canonical form; fetch it again from where it was written")
    return event


def _check(what: str, name: str, value: object, most: int, least: int = 1) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InputError(f"an event of noisy {what} has {name} {value!r}, expected {least} to {most}")
