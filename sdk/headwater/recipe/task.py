"""The Task: everything that one round's contribution is computed from, besides model, rows and plan (protocol 4.2)."""

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headwater.canonical import canonical_json
from headwater.errors import InputError, PeerError
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE
from headwater.privacy.events import LARGEST_SENSITIVITY
from headwater.privacy.poisson_sample import WHOLE_RATE

__all__ = ["GradientNoise", "Task", "TaskKind", "TaskNoise", "seed_for"]

TaskKind = Literal["pixels", "histograms", "marginals", "expectation", "update", "evaluate", "gradient", "audit"]

_SEED_BITS = 48


class TaskNoise(BaseModel):
    """Noise that a sum of counts must carry for certain.

    Attributes:
        variance: σ² of the discrete Gaussian on every cell, in rows squared.
        tables: that are counted; one row adds 1 to one cell of each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    variance: int = Field(ge=1, le=LARGEST_VARIANCE)
    tables: int = Field(ge=1, le=250_000)


class GradientNoise(BaseModel):
    """Noise that a sum of clipped gradients must carry for certain, and what it is a sum over.

    Attributes:
        variance: σ² of the discrete Gaussian on every value, in units squared.
        sensitivity: Euclidean norm that a row's whole numbers have at most, in units.
        rate: chance of each row to be in the sum, in parts of `headwater.privacy.poisson_sample.WHOLE_RATE`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    variance: int = Field(ge=8, le=2**53)
    sensitivity: int = Field(ge=1, le=LARGEST_SENSITIVITY)
    rate: int = Field(ge=1, le=WHOLE_RATE)


class Task(BaseModel):
    """What each organisation is asked for in one round.

    Attributes:
        kind: "pixels" sums pictures, "histograms" and "marginals" count training rows, "expectation" sums what they
            say of a mixture, "update" trains on them, "evaluate" counts what a critic says of them, "gradient" sums a
            critic's clipped gradients over a sample of them, "audit" counts what attacks on synthetic rows find out.
        step: number of the round in the recipe, from 1; a retried round keeps it.
        length: values in the vector: payload, weight and metrics; check coordinates are not among them.
        value_bits: every value is below 2^value_bits in magnitude (protocol 2.2).
        parameters: what the kind needs: the encoding without its counts, the subsets to count, the bound on rows.
        seed: public start of the round's chance.
        clip: Euclidean norm of an update before weighting, or of a row's gradient; None for counts.
        scale: fixed point: units for 1.0; 1 for counts.
        model_digest: SHA-256 of the model's bytes, "" if none goes along.
        noise: "none", or what the organisations add together before anything is masked (protocol 2.4).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    version: Literal[1] = 1
    kind: TaskKind
    step: int = Field(ge=1, le=100_000)
    length: int = Field(ge=1, lt=2**32)
    value_bits: int = Field(ge=1, le=31)
    parameters: dict[str, Any] = {}
    seed: int = Field(ge=0, lt=2**53)
    clip: float | None = None
    scale: float = Field(default=1.0, gt=0)
    model_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    noise: Literal["none"] | TaskNoise | GradientNoise = "none"

    def to_bytes(self) -> bytes:
        """Canonical JSON; equal tasks give equal bytes."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a task that came from the coordinator.

        Raises:
            PeerError: not a task of this version, or not in canonical form: a second spelling could be read as a
                second question on the same step.
        """
        try:
            # JSON has one kind of number: 10.0 comes back as 10 and is read as what the field says.
            task = cls.model_validate(json.loads(data), strict=False)
            canonical = task.to_bytes()
        except (ValidationError, ValueError, RecursionError, InputError) as error:
            raise PeerError("the coordinator's task is not of this version's form; compare the versions") from error
        if canonical != data:
            raise PeerError("the coordinator's task is not in canonical form; compare the versions")
        return task


def seed_for(seed: int, *purpose: object) -> int:
    """A seed for one purpose, unlike every other purpose's.

    Args:
        seed: the plan's.
        purpose: words and numbers that name it.

    Returns:
        0 ≤ seed < 2^48.
    """
    text = "/".join(["headwater", str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: _SEED_BITS // 8], "big")
