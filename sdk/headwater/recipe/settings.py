"""Every number of a recipe that a plan may set, with the defaults that were measured to work."""

import math
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headwater.encoding.settings import EncodingSettings
from headwater.evidence.terms import AuditTerms
from headwater.images.settings import ImageSettings
from headwater.mixture.settings import MixtureSettings
from headwater.privacy.budget import Budget
from headwater.recipe.health import HealthSettings
from headwater.recipe.private_settings import PrivateSettings
from headwater.recipe.training_settings import AdversarialSettings, UpdateSettings
from headwater.schema import Schema
from headwater.secagg.crypto.ring import RingBits

__all__ = [
    "EVALUATIONS",
    "PRIVATE_KINDS",
    "AdversarialSettings",
    "EncodingSettings",
    "FitSettings",
    "HealthSettings",
    "ImageSettings",
    "MarginalSettings",
    "MixtureSettings",
    "NetworkSettings",
    "PrivateSettings",
    "RecipeKind",
    "RecipeSettings",
    "RecipeTerms",
    "RefinerSettings",
    "SplitShares",
    "UpdateSettings",
]


EVALUATIONS = 3
"""Most evaluations of a hybrid on a mixture: of the last round, and of earlier ones where it remembers too much."""

RecipeKind = Literal["hybrid", "marginals", "adversarial", "mixture"]
"""What a run fits."""

PRIVATE_KINDS: tuple[RecipeKind, ...] = ("marginals", "hybrid")
"""Recipes that have a form under a privacy budget, the default one first."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SplitShares(_Settings):
    """Shares of an organisation's rows; the three sum to 1. Guarantee: a row is in one part, the same in every run."""

    train: float = Field(default=0.9, gt=0, le=1)
    validation: float = Field(default=0.05, ge=0, lt=1)
    audit: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.validation + self.audit - 1) > 1e-9:
            raise ValueError("the shares train, validation and audit must sum to 1")
        return self


class MarginalSettings(_Settings):
    """Which tables are counted, and which columns form super-columns."""

    # More would make a mixture of more bytes than organisations read.
    cells: int = Field(default=2_000_000, ge=1024, le=2**24, description="most cells of one round of counts")
    group_threshold: float = Field(default=0.2, gt=0, le=1, description="least normalised mutual information")
    group_columns: int = Field(default=3, ge=1, le=4)
    group_combinations: int = Field(default=160, ge=2, le=1 << 16)


class NetworkSettings(_Settings):
    """Shape of generator and critic."""

    latent: int = Field(default=64, ge=1, le=4096)
    width: int = Field(default=256, ge=8, le=8192)
    blocks: int = Field(default=2, ge=0, le=32)
    critic_width: int = Field(default=256, ge=8, le=8192)
    critic_layers: int = Field(default=3, ge=1, le=32)
    activation: Literal["relu", "leaky_relu", "silu", "dynamic_relu"] = "silu"
    kind: Literal["residual", "attention"] = Field(
        default="residual", description="attention: a token for each softmax, which attends to the others"
    )
    attention_heads: int = Field(default=4, ge=1, le=64, description="parts of a token; they divide the width")
    packing: int = Field(default=1, ge=1, le=64, description="rows that the critic judges together")


_ROWS_OF_A_FULL_FIT = 10_000
_LEAST_SHARE_OF_STEPS = 0.5
_LEAST_BATCH = 256


class FitSettings(_Settings):
    """How the coordinator fits the generator to summed marginals; `steps` and `batch` are those of a large table."""

    steps: int = Field(default=1000, ge=0, le=1_000_000)
    batch: int = Field(default=1024, ge=2, le=65_536)
    learning_rate: float = Field(default=2e-3, gt=0, le=100)
    warm_up: int = Field(default=50, ge=0, le=100_000)
    final_rate: float = Field(default=0.02, gt=0, le=1, description="learning rate at the end, as a share")
    gradient_clip: float = Field(default=1.0, gt=0, le=1e6)
    ema: float = Field(default=0.996, ge=0, lt=1)

    def for_rows(self, rows: int) -> "FitSettings":
        """The numbers for a table of `rows` rows: what few rows say is noisier than a short fit with small batches."""
        share = min(1.0, max(_LEAST_SHARE_OF_STEPS, math.sqrt(rows / _ROWS_OF_A_FULL_FIT)))
        batch = min(self.batch, max(_LEAST_BATCH, rows))
        return self.model_copy(update={"steps": round(self.steps * share), "batch": batch})


_REFINER_READS = frozenset(
    {
        "anchor",
        "batch",
        "clip",
        "critic_rate",
        "generator_rate",
        "instance_noise",
        "local_steps",
        "penalty",
        "penalty_every",
        "row_cap",
        "server_rate",
        "temperature",
    }
)


class RefinerSettings(_Settings):
    """What a hybrid trains upon a mixture: a refiner of its draws, and the critic that weighs them."""

    noise: int = Field(default=16, ge=1, le=4096, description="values of noise beside a draw")
    width: int = Field(default=64, ge=8, le=4096)
    critic_width: int = Field(default=256, ge=8, le=4096)
    update: UpdateSettings = Field(
        default=UpdateSettings(
            local_steps=80,
            generator_rate=3e-4,
            critic_rate=2e-3,
            penalty=0.002,
            temperature=3.0,
            anchor=0.3,
            clip=20.0,
        ),
        description="local training, in place of recipe.update; `anchor` holds draws where the mixture has them",
    )
    drift: float = Field(
        default=0.03,
        ge=0,
        le=1,
        description="most that a round may move the draws' 1-way shares; what is left of it is mended by weights",
    )
    slack: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="most that the distance from the counted tables may grow, as total variation",
    )
    gain: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="least that the critic's AUC must come nearer to .5; for less the base is released, which draws "
        "faster and was fitted to sums alone",
    )

    @model_validator(mode="after")
    def _read(self) -> Self:
        fields = UpdateSettings.model_fields.items()
        unread = [
            name for name, field in fields if name not in _REFINER_READS and getattr(self.update, name) != field.default
        ]
        if unread:
            raise ValueError(f"a refiner's training has one loss and one optimiser; leave out {', '.join(unread)}")
        return self


class RecipeSettings(_Settings):
    """What a run trains and how.

    `marginals` fits the generator to sums alone, `mixture` fits a mixture of distributions by secure sums; `hybrid`
    begins with one of them, its `base`, and goes on with `rounds` of adversarial training at the organisations;
    `adversarial` trains from the start, as its own settings say.
    """

    kind: RecipeKind = "hybrid"
    base: Literal["mixture", "marginals"] = Field(default="mixture", description="what a hybrid begins with")
    rounds: int = Field(default=6, ge=0, le=10_000, description="adversarial rounds of `hybrid`")
    value_bits: int = Field(
        default=24,
        ge=10,
        le=28,
        description="largest magnitude of a contributed value; 31 - log2(organisations) at most",
    )
    encoding: EncodingSettings = EncodingSettings()
    marginals: MarginalSettings = MarginalSettings()
    network: NetworkSettings = NetworkSettings()
    fit: FitSettings = FitSettings()
    update: UpdateSettings = UpdateSettings()
    adversarial: AdversarialSettings = AdversarialSettings()
    mixture: MixtureSettings = MixtureSettings()
    refiner: RefinerSettings = RefinerSettings()
    health: HealthSettings = HealthSettings()
    images: ImageSettings = ImageSettings()
    private: PrivateSettings = PrivateSettings()

    @property
    def maximum_rounds(self) -> int:
        """Most securely summed rounds that a run of this recipe asks for."""
        return 3 + self.training_rounds + self.expectation_rounds + EVALUATIONS * int(self.refines)

    @property
    def climbs(self) -> bool:
        """Whether a run of this recipe fits a mixture."""
        return self.kind == "mixture" or (self.kind == "hybrid" and self.base == "mixture")

    @property
    def refines(self) -> bool:
        """Whether a mixture's draws are refined, and the refined evaluated."""
        return self.climbs and self.training_rounds > 0

    @property
    def training(self) -> UpdateSettings:
        """How an organisation trains under this recipe."""
        if self.kind == "adversarial":
            return self.adversarial
        return self.refiner.update if self.refines else self.update

    @property
    def grouping(self) -> MarginalSettings:
        """Which columns form super-columns under this kind of recipe."""
        if not self.climbs:
            return self.marginals
        own = {name: getattr(self.mixture, name) for name in ("group_threshold", "group_combinations")}
        return self.marginals.model_copy(update=own)

    @property
    def training_rounds(self) -> int:
        """Rounds in which the organisations train."""
        if self.kind == "adversarial":
            return self.adversarial.rounds
        return 0 if self.kind in ("marginals", "mixture") else self.rounds

    @property
    def condition(self) -> Literal["none", "label", "column"]:
        """What a generator network of this kind of recipe is told of a row beside its noise."""
        return self.adversarial.condition if self.kind == "adversarial" else "none"

    @property
    def expectation_rounds(self) -> int:
        """Most rounds in which the organisations say what their rows mean to a mixture."""
        rungs, tilts = len(self.mixture.rows_per_component), len(self.mixture.tilt_tolerances)
        # A tilt that the attack does not allow is tried again on the rung below.
        climb = self.mixture.rounds * rungs + (tilts + rungs - 1 if tilts else 0)
        return climb if self.climbs else 0


class RecipeTerms(Protocol):
    """The part of a plan that decides what a contribution and a recipe compute."""

    @property
    def schema_(self) -> Schema:
        """Columns with public bounds and categories."""

    @property
    def recipe(self) -> RecipeSettings:
        """What is trained and how."""

    @property
    def splits(self) -> SplitShares:
        """Shares of train, validation and audit rows."""

    @property
    def privacy(self) -> Literal["none"] | Budget:
        """What the run may cost the people behind the rows."""

    @property
    def audit(self) -> Literal["none"] | AuditTerms:
        """How the result is attacked before it may be released."""

    @property
    def rows(self) -> int:
        """Synthetic rows to sample; 0 for as many as there are training rows."""

    @property
    def seed(self) -> int:
        """Start of every seed of the run that is not secret."""

    @property
    def colluders(self) -> int:
        """Members that may collude with the coordinator: c in protocol 1.2."""

    @property
    def ring_bits(self) -> RingBits:
        """The ring that vectors are summed in."""

    @property
    def one_cohort(self) -> bool:
        """Whether all sums of the run are over the same organisations, and so over the same rows."""
