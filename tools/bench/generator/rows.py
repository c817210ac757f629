"""What the benchmark measures: one row for each claim, each seed of it in a process of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from generator.datasets import DATASETS
from generator.others import DIGITS, GROWTH

__all__ = ["FEDAVG", "GROWN", "KEPT", "SEEDS", "Row", "full_rows", "quick_rows", "simulation"]

SEEDS = (1, 2, 3)

KEPT = {"model": "generator.bin", "encoding": "encoding.json", "schema": "schema.toml"}
"""What a kept generator consists of, by file."""

GROWN = (
    *((rows, 15) for rows in (1_000, 10_000, 100_000, 1_000_000)),
    *((100_000, columns) for columns in (30, 50, 100)),
)
"""Rows and columns whose cost is measured."""

FEDAVG = (
    "recipe.adversarial.loss=classic",
    "recipe.adversarial.adversarial_weight=1",
    "recipe.adversarial.moments=0",
    "recipe.adversarial.condition=none",
    "recipe.adversarial.calibration=0",
    "recipe.adversarial.ema=0",
    "recipe.adversarial.server=mean",
    "recipe.health.variety=0",
    "recipe.health.repeats=1",
    "recipe.health.top_share=1",
    "recipe.health.sensitivity=0",
    "recipe.health.gradient=0",
    "recipe.health.critic_accuracy=1",
    "recipe.health.norm=1e9",
    "recipe.health.cosine=-0.999",
    "recipe.health.remedies=0",
)
"""What makes `adversarial` the plain thing: the textbook's loss, the organisations' mean update taken whatever it does.

Batch, rates and the number of steps stay those of the recipe, and so does the clip norm of a secure sum.
"""

REFINED = ("recipe.refiner.gain=0",)
"""What makes a `hybrid` release what the critic tells from rows no worse, however little is gained."""


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: of the row, unique.
        kind: what measures it, as `generator.worker` names it.
        table: the dataset that it reads, or None.
        settings: of the measurement, JSON values.
        seeds: one measurement each.
        alone: whether nothing else may run beside it: it compares times.
        after: name of the row whose first model it uses, or None.
        keeps: whether its models are kept for other rows.
    """

    name: str
    kind: str
    table: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1,)
    alone: bool = False
    after: str | None = None
    keeps: bool = False


def simulation(
    table: str,
    recipe: str,
    partition: str = "iid",
    *,
    name: str | None = None,
    organisations: int = 5,
    changes: Sequence[str] = (),
    seeds: tuple[int, ...] = SEEDS,
    keeps: bool = False,
) -> Row:
    """A row of `simulate`, judged."""
    settings = {
        "recipe": recipe,
        "partition": partition,
        "organisations": organisations,
        "changes": list(changes),
    }
    short = {DATASETS[table].natural: "natural", "label:0.5": "label"}.get(partition, partition)
    return Row(name or f"{table}-{recipe}-{short}", "simulated", table, settings, seeds, keeps=keeps)


def full_rows() -> list[Row]:
    """Every row: those with a number to reach first, so that a run that is stopped has most to say."""
    rows = [Row(f"{name}-real", "ceilings", name) for name in DATASETS]
    rows += _with_numbers()
    rows += _alone()
    rows += [
        *(simulation(name, "mixture") for name in ("magic", "diabetes130")),
        simulation("adult", "adversarial", "label:0.5", name="adult-fedavg-label", changes=FEDAVG),
        Row("adult-one-of-fifty", "alone", "adult", {"organisations": 50, "recipe": "mixture"}, SEEDS),
    ]
    if GROWTH.is_file():
        rows += [Row(f"growth-{n}x{m}", "growth", None, {"rows": n, "columns": m}) for n, m in GROWN]
    rows.append(simulation("adult", "marginals", seeds=SEEDS[:1], keeps=True))
    rows.append(_sampling("marginals"))
    return rows


def _with_numbers() -> list[Row]:
    rows = [simulation("adult", "mixture", keeps=True), simulation("adult", "hybrid", keeps=True)]
    rows.append(simulation("adult", "hybrid", name="adult-refined-iid", changes=REFINED, keeps=True))
    rows.append(simulation("magic", "hybrid"))
    if DIGITS.is_file():
        rows.append(Row("digits", "digits", None, seeds=SEEDS))
    for name in ("credit", "diabetes130"):
        rows += [simulation(name, "hybrid", how) for how in ("iid", DATASETS[name].natural or "iid")]
    rows += [simulation("adult", "hybrid", how) for how in ("label:0.5", "column:occupation")]
    rows += [simulation("adult", kind, organisations=50, name=f"adult-{kind}-fifty") for kind in ("mixture", "hybrid")]
    rows.append(simulation("adult", "adversarial"))
    return rows


def _alone() -> list[Row]:
    return [
        *(_sampling(kind) for kind in ("mixture", "hybrid", "refined")),
        Row("encoder", "encoder", "adult", alone=True),
        Row("ctgan", "ctgan", "adult", {"epochs": 1, "seed": 1}, alone=True),
        Row("diabetes130-memory", "memory", "diabetes130", alone=True),
    ]


def _sampling(kind: str) -> Row:
    return Row(f"sampling-{kind}", "sampling", "adult", alone=True, after=f"adult-{kind}-iid")


def quick_rows() -> list[Row]:
    """One seed of what is soon done."""
    return [
        Row("adult-real", "ceilings", "adult"),
        Row("magic-real", "ceilings", "magic"),
        simulation("adult", "mixture", seeds=SEEDS[:1], keeps=True),
        simulation("magic", "mixture", seeds=SEEDS[:1]),
        simulation("magic", "hybrid", seeds=SEEDS[:1]),
        _sampling("mixture"),
        Row("encoder", "encoder", "adult", alone=True),
    ]
