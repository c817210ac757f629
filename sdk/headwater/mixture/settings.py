"""Numbers of the mixture that a plan may set."""

import itertools
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["MOST_COMPONENTS", "MixtureSettings"]

MOST_COMPONENTS = 1 << 14
"""No plan may ask for more."""

_MOST_ROWS = 2**31
_WIDEST_TOLERANCE = 1e6


class MixtureSettings(BaseModel):
    """How large the mixture may grow, how it is fitted, and what it may remember."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rows_per_component: tuple[int, ...] = Field(
        default=(1200, 500, 250, 180, 130, 100),
        min_length=1,
        max_length=16,
        description="the ladder: training rows to a component, rung by rung, descending",
    )
    components: int = Field(
        default=400, ge=1, le=MOST_COMPONENTS, description="most components: the cost of a round is rows times these"
    )
    rounds: int = Field(default=15, ge=2, le=1000, description="most rounds of expectation on one rung")
    least_gain: float = Field(
        default=2e-3,
        ge=0,
        le=1e3,
        description="a rung ends early when the mean log-density gains less in a round, in nats",
    )
    attack_limit: float = Field(
        default=0.56,
        gt=0.5,
        le=1,
        description="most that the likelihood attack's AUC, plus one standard error, may reach on a rung",
    )
    smoothing: float = Field(
        default=2.0, gt=0, le=1e6, description="rows by which each component's shares lean to those of its class"
    )
    shrinkage: float = Field(
        default=10.0, gt=0, le=1e6, description="rows by which each component's covariance leans to that of its class"
    )
    group_threshold: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="least normalised mutual information of a super-column; less than a network's will do, since every "
        "component leans to the whole table of its class",
    )
    group_combinations: int = Field(default=240, ge=2, le=1 << 16)
    atoms_limit: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="a numeric column with more of its rows on single values is held as codes, not in the Gaussian",
    )
    least_known: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="a numeric column with fewer of its rows neither special nor missing is held as codes too",
    )
    tilt_tolerances: tuple[float, ...] = Field(
        default=(3.0, 2.0),
        max_length=8,
        description="the mixture that stands is tilted to the counted pairs of columns, each cell within so many "
        "standard deviations of its count, step by step as far as the attack allows; none for no tilt",
    )
    tilt_excess: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="no tilt where fewer rows than this share, on average over the pairs, stand in cells beyond the "
        "first tolerance: kept draws lose their strata",
    )
    tilt_draws: int = Field(
        default=200_000, ge=1000, le=2_000_000, description="most draws of the mixture that a tilt is found on"
    )
    score_columns: int = Field(default=32, ge=0, le=64, description="most columns in the Gaussian; the rest are codes")

    @model_validator(mode="after")
    def _descending(self) -> Self:
        ladder = self.rows_per_component
        if not all(2 <= rows <= _MOST_ROWS for rows in ladder) or any(a <= b for a, b in itertools.pairwise(ladder)):
            raise ValueError(
                f"rows_per_component must descend from rung to rung, from {_MOST_ROWS} at most to 2 at least"
            )
        tolerances = self.tilt_tolerances
        within = all(0 <= each <= _WIDEST_TOLERANCE for each in tolerances)
        if not within or any(a <= b for a, b in itertools.pairwise(tolerances)):
            raise ValueError(f"tilt_tolerances must descend, from {_WIDEST_TOLERANCE:g} at most, and not fall below 0")
        return self
