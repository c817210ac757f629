"""AIM and MST as dpmm has them, from an environment of their own: the same rows, domain, budget and judge as ours."""

import json
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import quality
from generator.datasets import DATASETS
from generator.judging import judge
from harness.peer_environment import peer_python
from headwater.encoding.grid import CategoryGrid, ColumnGrid, column_grids
from headwater.encoding.settings import EncodingSettings
from headwater_server.simulation.inputs import read_inputs

__all__ = ["measure", "public_domain"]

_SCRIPT = pathlib.Path(__file__).parents[1] / "peers" / "dpmm_tables.py"
_CELLS = 256
_ORGANISATIONS = 3
"""So many are needed to draft a schema as a simulation does; peers pool their rows."""


def measure(
    *,
    file: str,
    table: str,
    model: str,
    epsilon: float,
    delta: float,
    rho: float,
    settings: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Fit a peer to the judge's training rows, and judge as many rows of it.

    Args:
        file: the table.
        table: its name in `DATASETS`.
        model: "aim" or "mst".
        epsilon: of the budget.
        delta: of the budget.
        rho: of zCDP that the peer spends, whatever its own accountant gives for the budget.
        settings: of the peer: what its script takes beside these.
        seed: of its chance; its noise is not seeded.

    Raises:
        SystemExit: its environment was not made; the message says why.
    """
    python = peer_python("dpmm")
    path, target = pathlib.Path(file), DATASETS[table].target
    train, test = quality.split(quality.read(path))
    asked = {"model": model, "epsilon": epsilon, "delta": delta, "rho": rho, "seed": seed, **settings}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        train.to_csv(folder / "train.csv", index=False)
        (folder / "domain.json").write_text(json.dumps(public_domain(path, target)), encoding="utf-8")
        (folder / "settings.json").write_text(json.dumps(asked), encoding="utf-8")
        files = [str(folder / file) for file in ("train.csv", "domain.json", "settings.json", "made.csv")]
        told = subprocess.run([str(python), str(_SCRIPT), *files], check=True, stdout=subprocess.PIPE, text=True)
        made = quality.read(folder / "made.csv")
    return {**judge(train, test, made, target), **json.loads(told.stdout.splitlines()[-1])}


def public_domain(path: pathlib.Path, target: str) -> dict[str, Any]:
    """What is public of a table, as the peers' script takes it: the schema's categories and grids that a run has.

    Args:
        path: of the table, whose schema is drafted as a simulation drafts it.
        target: column that models predict.
    """
    schema = read_inputs(path, target, _ORGANISATIONS, "iid").plan.schema_
    grids = column_grids(schema, EncodingSettings(grid_cells=_CELLS))
    return {"target": target, "columns": [_column(grid) for grid in grids]}


def _column(grid: ColumnGrid) -> dict[str, Any]:
    common: dict[str, Any] = {"name": grid.column.name, "missing": grid.column.missing}
    if isinstance(grid, CategoryGrid):
        return common | {"categories": list(grid.column.categories)}
    cells = {"special": grid.special.tolist(), "lows": grid.lows.tolist(), "highs": grid.highs.tolist()}
    return common | cells | {"whole": grid.whole}
