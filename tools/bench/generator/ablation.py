"""What each setting is worth: one change from the default at a time, judged on rows cut from the training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.rows import SEEDS, Row

__all__ = ["BUDGET", "LINES", "TABLES", "Variant", "ablation_rows", "row_name", "variants"]

TABLES = ("adult", "magic")

BUDGET: Mapping[str, Sequence[str]] = {
    "hybrid": (),
    "adversarial": ("recipe.adversarial.rounds=8", "recipe.adversarial.calibration=100"),
}
"""What every variant of a line runs with, its default included: what keeps the whole within an hour."""


@dataclass(frozen=True)
class Variant:
    """One change from a line's default.

    Attributes:
        subject: what is varied.
        words: what it is set to.
        changes: settings, as `simulate --set` takes them; none for the default itself.
    """

    subject: str
    words: str
    changes: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The variant in a file's name."""
        text = f"{self.subject}-{self.words}".lower()
        return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-")


DEFAULT = Variant("default", "default")

LINES: Mapping[str, Sequence[Variant]] = {
    "hybrid": (
        Variant("encoding", "16 codes a numeric", ("recipe.encoding.numeric_codes=16",)),
        Variant("encoding", "64 codes a numeric", ("recipe.encoding.numeric_codes=64",)),
        Variant("groups", "none", ("recipe.mixture.group_threshold=1",)),
        Variant("tilt", "none", ("recipe.mixture.tilt_tolerances=[]",)),
        Variant("tilt", "wherever pairs are off, not refined", ("recipe.mixture.tilt_excess=0",)),
        Variant("adversarial rounds", "0", ("recipe.rounds=0",)),
        Variant("adversarial rounds", "2", ("recipe.rounds=2",)),
        Variant("adversarial rounds", "10", ("recipe.rounds=10",)),
        Variant("refiner's anchor", "0", ("recipe.refiner.update.anchor=0",)),
        Variant("refiner's anchor", "1", ("recipe.refiner.update.anchor=1",)),
        Variant("base", "marginals", ("recipe.base=marginals",)),
    ),
    "adversarial": (
        Variant("loss", "classic", ("recipe.adversarial.loss=classic",)),
        Variant("loss", "wgan-gp", ("recipe.adversarial.loss=wgan-gp",)),
        Variant("EMA", "none", ("recipe.adversarial.ema=0",)),
        Variant("EMA", ".9 a round", ("recipe.adversarial.ema=0.9",)),
        Variant("activation", "relu", ("recipe.network.activation=relu",)),
        Variant("activation", "leaky_relu", ("recipe.network.activation=leaky_relu",)),
        Variant("activation", "dynamic_relu", ("recipe.network.activation=dynamic_relu",)),
        Variant("attention", "64 wide", ("recipe.network.kind=attention", "recipe.network.width=64")),
        Variant("condition", "none", ("recipe.adversarial.condition=none",)),
        Variant("condition", "label and column", ("recipe.adversarial.condition=column",)),
        Variant("own moments", "none", ("recipe.adversarial.moments=0",)),
        Variant("critic", "none", ("recipe.adversarial.adversarial_weight=0",)),
        Variant("critic", "weight 1", ("recipe.adversarial.adversarial_weight=1",)),
        Variant("server", "fedavgm", ("recipe.adversarial.server=fedavgm", "recipe.adversarial.server_rate=0.5")),
        Variant("server", "fedadam", ("recipe.adversarial.server=fedadam", "recipe.adversarial.server_rate=0.003")),
        Variant("server", "half the mean", ("recipe.adversarial.server_rate=0.5",)),
        Variant("calibration", "none", ("recipe.adversarial.calibration=0",)),
        Variant("adversarial rounds", "4", ("recipe.adversarial.rounds=4",)),
        Variant("adversarial rounds", "16", ("recipe.adversarial.rounds=16",)),
        Variant("encoding", "16 codes a numeric", ("recipe.encoding.numeric_codes=16",)),
        Variant("groups", "none", ("recipe.marginals.group_threshold=1",)),
    ),
}
"""Kind of recipe → its variants. Another setting is another line here."""


def variants(kind: str) -> Sequence[Variant]:
    """A line's variants, the default first."""
    return (DEFAULT, *LINES[kind])


def row_name(table: str, kind: str, variant: Variant) -> str:
    """The name of a variant's row."""
    return f"{table}-{kind}-{variant.slug}"


def ablation_rows() -> list[Row]:
    """Every variant on every table: the default with all seeds, for its spread; a change with the first."""
    return [
        Row(
            row_name(table, kind, variant),
            "simulated",
            table,
            {
                "recipe": kind,
                "partition": "iid",
                "organisations": 5,
                "changes": [*BUDGET[kind], *variant.changes],
            },
            SEEDS if variant is DEFAULT else SEEDS[:1],
        )
        for kind in LINES
        for table in TABLES
        for variant in variants(kind)
    ]
