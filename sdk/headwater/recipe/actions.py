"""What a recipe asks of whoever drives it, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal
from headwater.encoding.noisy import NoisyMarginal
from headwater.evidence.settings import AuditSettings
from headwater.recipe.evaluation import Evaluation
from headwater.recipe.private_settings import CriticSettings
from headwater.recipe.settings import FitSettings, NetworkSettings, PrivateSettings, RefinerSettings, UpdateSettings
from headwater.recipe.task import Task

__all__ = [
    "Action",
    "Aggregate",
    "Computed",
    "Done",
    "Fit",
    "FitNoisy",
    "Judge",
    "Merge",
    "ModelReport",
    "Refine",
    "RunAudit",
    "Sample",
    "StepCritic",
    "SummedGradient",
    "WeighNoisy",
]


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """Sum the organisations' contributions to a task; answer with `Recipe.add_sum`.

    Attributes:
        task: what each contributes.
        model: the model's bytes, b"" where the task needs none.
        purpose: for people, where the task's kind does not say what is done: "tilt" asks for the statistics of a
            tilted mixture; "" elsewhere.
    """

    task: Task
    model: bytes = field(default=b"", repr=False)
    purpose: Literal["", "tilt"] = ""

    @property
    def step_name(self) -> str:
        """What a person is told that is under way: the purpose, or else the task's kind."""
        return self.purpose or self.task.kind


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Make a model from sums alone, or fit a trained one to them; answer with `Recipe.add_model`.

    Attributes:
        sizes: number of codes of each column.
        groups: super-columns.
        label: index of the target column, or None.
        marginals: the counts; every column and every group stands in one.
        network: shape.
        terms: how to fit; 0 steps give a model of the 1-way marginals only.
        critic: whether rounds of training follow, so that the model needs a critic.
        seed: public, of the fit.
        measure_seed: public, of the measuring noise: the same for every model of the run, so that losses compare.
        condition: what the network is told of a row beside its noise, where there is a label.
        start: bytes of the trained model that the fit goes on from; b"" for a fit that begins afresh.
    """

    sizes: tuple[int, ...]
    groups: tuple[Group, ...]
    label: int | None
    marginals: tuple[Marginal, ...]
    network: NetworkSettings
    terms: FitSettings
    critic: bool
    seed: int
    measure_seed: int
    condition: Literal["none", "label", "column"] = "none"
    start: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class FitNoisy:
    """Make a mixture from noisy counts alone; answer with `Recipe.add_model`.

    Attributes:
        sizes: number of codes of each column.
        label: index of the target column, or None.
        marginals: with what is known of their noise.
        terms: how to fit.
        seed: public.
    """

    sizes: tuple[int, ...]
    label: int | None
    marginals: tuple[NoisyMarginal, ...]
    terms: PrivateSettings
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """Merge a round's mean update into the model and measure both; answer with `Recipe.add_model`.

    The recipe decides from the report whether the merged model is taken.

    Attributes:
        model: the model that the organisations started from.
        mean_delta: float64, the weighted mean of their changes.
        marginals: what the models are measured against.
        terms: server rate and average.
        measure_seed: as of `Fit`.
        restart: nothing is merged; the generator goes back to the model's own average weights, and whatever the
            server remembers of former rounds is forgotten.
    """

    model: bytes = field(repr=False)
    mean_delta: NDArray[np.float64]
    marginals: tuple[Marginal, ...]
    terms: UpdateSettings
    measure_seed: int
    restart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Refine:
    """Put fresh networks around a mixture; answer with `Recipe.add_model`.

    Attributes:
        mixture: the mixture that stands, as bytes.
        terms: widths.
        seed: public, of the networks' first weights.
        measure_seed: as of `Fit`.
    """

    mixture: bytes = field(repr=False)
    terms: RefinerSettings
    seed: int
    measure_seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Find what of a refined mixture is worth keeping; answer with `Recipe.add_model`: the model that is released.

    Attributes:
        model: refiner and critic around a mixture, as the organisations evaluated it.
        evaluation: the sum.
        marginals: what draws are measured against.
        terms: what may be lost.
        attack_limit: most that an attack on training rows may reach.
        seed: public, of the draws.
    """

    model: bytes = field(repr=False)
    evaluation: Evaluation
    marginals: tuple[Marginal, ...]
    terms: RefinerSettings
    attack_limit: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class SummedGradient:
    """A noisy sum of clipped gradients over a sample of the rows.

    Attributes:
        total: int64, shape (parameters,), in units.
        sensitivity: units that a row's gradient has at most; they stand for the clip norm.
        deviation: of the noise on each value, in units.
        rows: that were sampled on average: the public rate times the rows that the noisy counts estimate.
        seed: public, that rows' gradients were rounded by.
    """

    total: NDArray[np.int64]
    sensitivity: int
    deviation: float
    rows: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class StepCritic:
    """Take a step of a critic by a noisy sum, or begin one; answer with `Recipe.add_model`: the critic's bytes.

    Attributes:
        mixture: bytes of the mixture fitted to noisy counts, whose draws stand beside the rows.
        critic: bytes of the critic as the organisations had it; b"" to begin one.
        gradient: of the rows; None where there is no critic yet.
        terms: of training.
        seed: public, of the first weights and the draws.
    """

    mixture: bytes = field(repr=False)
    critic: bytes = field(repr=False)
    gradient: SummedGradient | None
    terms: CriticSettings
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class WeighNoisy:
    """Find whether a mixture's draws are better weighed by a critic; answer with `Recipe.add_model`: what is released.

    Attributes:
        mixture: as of `StepCritic`.
        critic: bytes, after the last step.
        marginals: the noisy counts.
        terms: of training.
        seed: public, of the draws.
    """

    mixture: bytes = field(repr=False)
    critic: bytes = field(repr=False)
    marginals: tuple[NoisyMarginal, ...]
    terms: CriticSettings
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Sample the rows that may be released; answer with `Recipe.add_model`: their bytes, or b"" where it failed.

    Attributes:
        model: as it will stand in `Done`.
        encoding: as it will stand in `Done`.
        rows: how many.
        seed: public.
        settings: of the audit whose checks will count; None where no organisation counts.
    """

    model: bytes = field(repr=False)
    encoding: Encoding
    rows: int
    seed: int
    settings: AuditSettings | None


@dataclass(frozen=True, slots=True, eq=False)
class RunAudit:
    """What the audit at the end of a run came to.

    Attributes:
        candidate: bytes of the rows that may be released; b"" where sampling failed.
        counts: int64, shape (sum of the checks' sizes,): the organisations' counts together; None where none was
            asked, as under a privacy budget, or the sum could not be one.
        contributors: organisations in the sum.
        checks: name and size of each check, in the order of the counts.
        failed: why nothing may be released, "" where nothing failed.
        step: of the summed round, 0 where none was.
    """

    candidate: bytes = field(default=b"", repr=False)
    counts: NDArray[np.int64] | None = None
    contributors: int = 0
    checks: tuple[tuple[str, int], ...] = ()
    failed: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """The recipe ended.

    Attributes:
        model: the shared generator, with its average weights, as bytes.
        encoding: codes to rows, with the fine counts.
        rows: training rows of all organisations together.
        audit: None where the plan has none.
    """

    model: bytes = field(repr=False)
    encoding: Encoding
    rows: int
    audit: RunAudit | None = None


Computed = Fit | FitNoisy | Merge | Refine | Judge | StepCritic | WeighNoisy | Sample
"""What the coordinator computes without a row; answered with `Recipe.add_model`."""

Action = Aggregate | Computed | Done


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What was measured on a model that answers another action than `Aggregate`, without a row.

    Attributes:
        marginal_loss: distance from the marginals; not finite if the model is not.
        weights: of generator and critic together, the values of an update.
        health: signs for people, by name.
        verdict: of `Judge`: "accepted", "reason" and the figures that the history keeps; of `Sample`: "rows" and
            "checks", name and size of each, or "failed" and why.
    """

    marginal_loss: float
    weights: int
    health: dict[str, float]
    verdict: Mapping[str, object] = field(default_factory=dict)
