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
)
"""What makes `adversarial` the plain thing: the textbook's loss, an organisation's mean update taken as it is."""


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
    """Every row, those that others lean on first."""
    rows = [Row(f"{name}-real", "ceilings", name) for name in DATASETS]
    rows += [
        simulation("adult", "mixture", keeps=True),
        simulation("adult", "hybrid", keeps=True),
        simulation("magic", "mixture"),
        simulation("magic", "hybrid"),
        simulation("adult", "hybrid", "label:0.5"),
        simulation("adult", "hybrid", "column:occupation"),
        simulation("adult", "adversarial"),
        simulation("adult", "adversarial", "label:0.5", name="adult-fedavg-label", changes=FEDAVG),
        simulation("adult", "marginals", keeps=True),
    ]
    rows += [simulation("adult", kind, organisations=50, name=f"adult-{kind}-fifty") for kind in ("mixture", "hybrid")]
    rows.append(Row("adult-one-of-fifty", "alone", "adult", {"organisations": 50, "recipe": "mixture"}, SEEDS))
    for name in ("credit", "diabetes130"):
        rows += [simulation(name, "hybrid", how) for how in ("iid", DATASETS[name].natural or "iid")]
    if DIGITS.is_file():
        rows.append(Row("digits", "digits", None, seeds=SEEDS))
    if GROWTH.is_file():
        rows += [Row(f"growth-{n}x{m}", "growth", None, {"rows": n, "columns": m}) for n, m in GROWN]
    rows.append(Row("diabetes130-memory", "memory", "diabetes130", alone=True))
    rows += [
        Row(f"sampling-{kind}", "sampling", "adult", alone=True, after=f"adult-{kind}-iid")
        for kind in ("mixture", "hybrid", "marginals")
    ]
    rows.append(Row("encoder", "encoder", "adult", alone=True))
    rows.append(Row("ctgan", "ctgan", "adult", {"epochs": 1, "seed": 1}, alone=True))
    return rows


def quick_rows() -> list[Row]:
    """One seed of what is soon done."""
    return [
        Row("adult-real", "ceilings", "adult"),
        Row("magic-real", "ceilings", "magic"),
        simulation("adult", "mixture", seeds=SEEDS[:1], keeps=True),
        simulation("magic", "mixture", seeds=SEEDS[:1]),
        simulation("magic", "hybrid", seeds=SEEDS[:1]),
        Row("sampling-mixture", "sampling", "adult", alone=True, after="adult-mixture-iid"),
        Row("encoder", "encoder", "adult", alone=True),
    ]
