"""Numbers of local training that a plan may set."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["AdversarialSettings", "UpdateSettings"]


class UpdateSettings(BaseModel):
    """How an organisation trains on its own rows, and how the coordinator takes the sum."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    loss: Literal["r3", "wgan-gp", "classic"] = "r3"
    adversarial_weight: float = Field(default=1.0, ge=0, le=1e6, description="0 trains no critic")
    local_steps: int = Field(default=20, ge=1, le=100_000)
    batch: int = Field(default=256, ge=2, le=65_536)
    generator_rate: float = Field(default=2e-4, ge=0, le=100, description="0 trains the critic alone")
    critic_rate: float = Field(default=4e-4, gt=0, le=100)
    final_rate: float = Field(default=1.0, gt=0, le=1, description="both rates in the last round, as a share")
    warm_up: int = Field(default=0, ge=0, le=100_000, description="steps of linear warm-up in each round")
    critic_steps: int = Field(default=1, ge=1, le=1000)
    beta1: float = Field(default=0.0, ge=0, lt=1)
    penalty: float = Field(default=1.0, ge=0, le=1e6, description="weight of R1 and R2, or of the gradient penalty")
    penalty_every: int = Field(default=4, ge=1, le=100_000)
    temperature: float = Field(default=0.6, gt=0, le=1e6)
    instance_noise: float = Field(
        default=0.0, ge=0, le=1e3, description="on what the critic sees; falls to 0 over the run"
    )
    moments: float = Field(default=0.0, ge=0, le=1e6, description="weight of the moments of an organisation's own rows")
    moments_batch: int = Field(default=512, ge=2, le=65_536)
    information: float = Field(default=0.0, ge=0, le=1e6, description="weight of the critic's mean features")
    condition_loss: float = Field(default=0.0, ge=0, le=1e6, description="weight of making what the condition says")
    condition_frequency: Literal["share", "log"] = "share"
    autocast: bool = Field(default=False, description="products in bfloat16")
    proximal: float = Field(default=0.0, ge=0, le=1e6, description="FedProx's weight, in rounds after one that drifted")
    drift_limit: float = Field(default=0.8, ge=0, le=1, description="drift above which `proximal` sets in")
    anchor: float = Field(
        default=0.1, ge=0, le=1e6, description="weight of the marginal loss beside the adversarial one"
    )
    clip: float = Field(
        default=10.0, gt=0, le=1e6, description="Euclidean norm that an organisation's update is clipped to"
    )
    row_cap: int = Field(default=10_000, ge=1, le=2**31, description="an organisation's weight is min(rows, cap) / cap")
    server: Literal["mean", "fedavgm", "fedadam"] = "mean"
    server_rate: float = Field(default=1.0, gt=0, le=100)
    server_beta1: float = Field(default=0.9, ge=0, lt=1, description="momentum of fedavgm and fedadam")
    server_beta2: float = Field(default=0.99, ge=0, lt=1, description="of fedadam's squares")
    server_floor: float = Field(default=1e-3, gt=0, le=1e6, description="what fedadam adds to the root of its squares")
    ema: float = Field(default=0.5, ge=0, lt=1, description="of the generator, over rounds")
    tolerance: float = Field(
        default=0.05, ge=0, le=1e9, description="most that a round may worsen the marginal loss, as a share"
    )

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not (self.adversarial_weight or self.moments or self.anchor):
            raise ValueError("adversarial_weight, moments and anchor are all 0: a generator would learn nothing")
        return self


class AdversarialSettings(UpdateSettings):
    """The same for training from scratch, where many short rounds do what no fit has done before."""

    condition: Literal["none", "label", "column"] = Field(
        default="label", description="what goes in beside the noise: the label, or it and one more code of the row"
    )
    condition_loss: float = Field(default=0.1, ge=0, le=1e6, description="weight of making what the condition says")
    clip: float = Field(
        default=20.0, gt=0, le=1e6, description="Euclidean norm that an organisation's update is clipped to"
    )
    rounds: int = Field(default=24, ge=0, le=10_000)
    calibration: int = Field(
        default=300,
        ge=0,
        le=100_000,
        description="steps in which the coordinator fits what was trained to the summed marginals",
    )
    calibration_rate: float = Field(default=1e-3, gt=0, le=100)
    anchor: float = Field(
        default=0.0, ge=0, le=1e6, description="weight of staying where a round began; there is no base"
    )
    moments: float = Field(default=1.0, ge=0, le=1e6, description="weight of the moments of an organisation's own rows")
    adversarial_weight: float = Field(default=0.1, ge=0, le=1e6, description="0 trains no critic")
    batch: int = Field(default=128, ge=2, le=65_536)
    moments_batch: int = Field(default=384, ge=2, le=65_536)
    generator_rate: float = Field(default=1e-3, gt=0, le=100)
    critic_rate: float = Field(default=1e-3, gt=0, le=100)
    final_rate: float = Field(default=0.1, gt=0, le=1, description="both rates in the last round, as a share")
    warm_up: int = Field(default=3, ge=0, le=100_000, description="steps of linear warm-up in each round")
    ema: float = Field(default=0.6, ge=0, lt=1, description="of the generator, over rounds")
