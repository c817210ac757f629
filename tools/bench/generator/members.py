"""What one of many organisations has without the others: its own rows, or a generator fitted to them alone."""

import pathlib
from typing import Any

import quality
from generator.datasets import DATASETS
from generator.judging import judge
from generator.simulated import as_a_stranger_reads
from headwater_server.demo.alone import train_alone
from headwater_server.simulation.inputs import read_inputs

__all__ = ["measure"]


def measure(*, file: str, table: str, organisations: int, recipe: str, seed: int) -> dict[str, Any]:
    """Judge one organisation's real rows, and what its own generator makes of them.

    Args:
        file: the table.
        table: its name in `DATASETS`.
        organisations: how many share the rows out, IID.
        recipe: of its own generator.
        seed: of the plan; another organisation for each.
    """
    target, path = DATASETS[table].target, pathlib.Path(file)
    kind: Any = recipe
    inputs = read_inputs(path, target, organisations, "iid", recipe=kind, seed=seed)
    rows = inputs.parts[seed % organisations]
    made = train_alone(inputs.plan, rows, inputs.train.num_rows)
    train, test = quality.split(quality.read(path))
    return {
        "rows": rows.rows,
        "real": judge(train, test, as_a_stranger_reads(rows), target),
        "own": judge(train, test, as_a_stranger_reads(made), target),
    }
