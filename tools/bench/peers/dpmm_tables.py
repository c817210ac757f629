"""What dpmm makes of a table: `python dpmm_tables.py TRAIN.csv DOMAIN.json SETTINGS.json OUT.csv`; figures on stdout.

Runs in an environment that has dpmm. One thread, CPU seconds. The domain is public: each column's categories, or its
special values and the fine cells between its bounds. Bins are runs of those cells:

- `width`: so many of even width between the bounds; `cells`: so many of as many cells each.
- `adaptive`: cells above 1/bins of the rows stand alone, the others are joined until a bin has as much and four
  standard deviations of its noise.

A tenth of ρ buys noisy counts of the cells where bins are adaptive, or cells are to be drawn in their bin by their
counts (`weighed`). Special values are codes of their own, and so is a missing value. A value is drawn evenly in its
cell.
"""

import json
import math
import os
import sys
import time
import warnings
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Category", "Numeric", "bin_columns", "main"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

BINNING_SHARE = 0.1
_LEAST_DEVIATIONS, _CLEAR_DEVIATIONS = 4, 3


class Category:
    """A column of public categories, a code each; missing behind them."""

    def __init__(self, column: dict[str, Any]) -> None:
        """Take the categories."""
        self.levels = [*column["categories"], *([None] if column["missing"] else [])]
        self.size = len(self.levels)

    def encode(self, values: pd.Series) -> I64:
        """Codes of values."""
        places = {level: code for code, level in enumerate(self.levels)}
        return np.asarray([places[None if pd.isna(value) else str(value)] for value in values], dtype=np.int64)

    def decode(self, codes: I64, random: np.random.Generator) -> NDArray[Any]:
        """Values of codes."""
        del random
        values: NDArray[Any] = np.asarray(self.levels, dtype=object)[codes]
        return values


class Numeric:
    """A column of fine cells: special values, then ordered cells, then missing; joined to bins."""

    bin_of_cell: I64
    masses: F64
    size: int

    def __init__(self, column: dict[str, Any]) -> None:
        """Take the cells."""
        self.special = np.asarray(column["special"], dtype=float)
        self.lows = np.asarray(column["lows"], dtype=float)
        self.highs = np.asarray(column["highs"], dtype=float)
        self.missing, self.whole = bool(column["missing"]), bool(column["whole"])
        self.cells = len(self.special) + len(self.lows) + self.missing
        self._join(np.zeros(len(self.lows), dtype=int))

    def locate(self, values: pd.Series) -> I64:
        """Fine cells of values."""
        numbers = values.to_numpy(dtype=float)
        places = np.searchsorted(self.lows, np.nan_to_num(numbers, nan=self.lows[0]), side="right") - 1
        cells: I64 = np.clip(places, 0, len(self.lows) - 1) + len(self.special)
        for place, value in enumerate(self.special):
            cells[numbers == value] = place
        cells[np.isnan(numbers)] = self.cells - 1
        return cells

    def even(self, bins: int, by: str) -> None:
        """Bins of even width, or of as many cells each; a cell is drawn by how many values it has."""
        if by == "width":
            low, high = self.lows[0], self.highs[-1]
            place = ((self.lows + self.highs) / 2 - low) / max(high - low, 1)
        else:
            place = np.arange(len(self.lows)) / len(self.lows)
        self._join(np.minimum((place * bins).astype(int), bins - 1))

    def adaptive(self, counts: F64, deviation: float, bins: int) -> None:
        """Bins by noisy counts of the cells: equally full, and fuller than their noise."""
        first = len(self.special)
        inner = counts[first : first + len(self.lows)]
        least = max(counts.sum() / bins, _LEAST_DEVIATIONS * deviation)
        runs, run, mass, width = np.zeros(len(inner), dtype=int), 0, 0.0, 0
        for cell, count in enumerate(inner):
            if count >= least:
                run += 1 if width else 0
                runs[cell] = run
                run, mass, width = run + 1, 0.0, 0
                continue
            runs[cell], mass, width = run, mass + count, width + 1
            if mass >= max(least, _LEAST_DEVIATIONS * deviation * math.sqrt(width)):
                run, mass, width = run + 1, 0.0, 0
        if width and run:
            # What is left over at the end is no bin of its own.
            runs[runs == run] = run - 1
        self._join(runs)

    def weigh(self, counts: F64, deviation: float) -> None:
        """Draw a cell in its bin by its noisy count; what noise alone may have made says nothing of a cell."""
        kept = np.where(counts > _CLEAR_DEVIATIONS * deviation, counts, 0.0)
        sums = [np.bincount(self.bin_of_cell, weights=weights) for weights in (counts, kept)]
        rest = np.maximum(sums[0] - sums[1], 1.0)
        widths = np.where(kept > 0, 0.0, self.masses)
        wide = np.maximum(np.bincount(self.bin_of_cell, weights=widths), np.finfo(float).tiny)
        self.masses = kept + rest[self.bin_of_cell] * widths / wide[self.bin_of_cell]

    def _join(self, runs: I64) -> None:
        """Make one code of each run of ordered cells."""
        _, runs = np.unique(runs, return_inverse=True)
        first = len(self.special)
        last = [first + runs.max() + 1] * self.missing
        self.bin_of_cell = np.concatenate([np.arange(first), first + runs, last]).astype(np.int64)
        self.size = int(self.bin_of_cell.max()) + 1
        self.masses = np.concatenate([np.ones(first), self.highs - self.lows + self.whole, np.ones(len(last))])

    def encode(self, values: pd.Series) -> I64:
        """Codes of values."""
        return self.bin_of_cell[self.locate(values)]

    def decode(self, codes: I64, random: np.random.Generator) -> NDArray[Any]:
        """A value of each code."""
        values = np.empty(len(codes))
        for code in np.unique(codes):
            cells, rows = np.flatnonzero(self.bin_of_cell == code), np.flatnonzero(codes == code)
            drawn = random.choice(cells, len(rows), p=self.masses[cells] / self.masses[cells].sum())
            values[rows] = self._draw(drawn, random)
        return values

    def _draw(self, cells: I64, random: np.random.Generator) -> F64:
        first = len(self.special)
        ordered = np.clip(cells - first, 0, len(self.lows) - 1)
        low, high = self.lows[ordered], self.highs[ordered]
        inside = random.random(len(cells))
        values: F64 = np.floor(low + inside * (high - low + 1)) if self.whole else low + inside * (high - low)
        own = cells < first
        values[own] = self.special[cells[own]] if first else 0.0
        if self.missing:
            values[cells == self.cells - 1] = np.nan
        return values


def bin_columns(
    table: pd.DataFrame, domain: list[dict[str, Any]], settings: dict[str, Any]
) -> tuple[dict[str, Category | Numeric], float]:
    """The columns' codes, and the share of ρ that was paid for them."""
    columns: dict[str, Category | Numeric] = {
        column["name"]: Category(column) if "categories" in column else Numeric(column) for column in domain
    }
    numeric = {name: column for name, column in columns.items() if isinstance(column, Numeric)}
    adaptive = settings["binning"] == "adaptive"
    if not adaptive:
        for column in numeric.values():
            column.even(settings["bins"], settings["binning"])
    if not (adaptive or settings["weighed"]) or not numeric:
        return columns, 0.0
    # One record moves one cell of each numeric column's counts.
    deviation = math.sqrt(len(numeric) / (2 * BINNING_SHARE * settings["rho"]))
    entropy = np.random.default_rng()
    for name, column in numeric.items():
        counts = np.bincount(column.locate(table[name]), minlength=column.cells)
        noisy = counts + entropy.normal(0, deviation, column.cells)
        if adaptive:
            column.adaptive(noisy, deviation, settings["bins"])
        column.weigh(noisy, deviation)
    return columns, BINNING_SHARE


def fit(codes: pd.DataFrame, sizes: dict[str, int], target: str, settings: dict[str, Any], rho: float) -> Any:
    """A fitted model of the peer."""
    from dpmm.models.aim import AIMGM
    from dpmm.models.mst import MSTGM

    random = np.random.RandomState(settings["seed"])
    common = {"epsilon": settings["epsilon"], "delta": settings["delta"], "random_state": random, "n_jobs": 1}
    wanted = {}
    if settings["model"] == "mst":
        model = MSTGM(**common)
        model.generator.sigma = math.sqrt(3 / (2 * rho))
    else:
        model = AIMGM(**common, n_iters=settings["iterations"], max_model_size=settings["model_size"])
        hasten(model.generator, settings["iterations_a_round"])
        features = [name for name in codes.columns if name != target]
        pairs = [(a, b) for place, a in enumerate(features) for b in features[place + 1 :]]
        wanted = {"W": [((*pair, target), 1.0) for pair in pairs]}
    model.set_domain(sizes)
    # Both spend ρ of zCDP; how much of it a budget is comes from outside, the same for everybody.
    model.generator.rho = rho
    model.check_fit(codes)
    model.generator.fit(codes, **wanted)
    return model


def hasten(generator: Any, iterations: int) -> None:
    """Let AIM's rounds, each of which goes on from the one before, take fewer steps of inference than its last fit."""
    rounds = generator._fit

    def fewer(*given: Any, **named: Any) -> Any:
        last, generator.n_iters = generator.n_iters, iterations
        try:
            return rounds(*given, **named)
        finally:
            generator.n_iters = last

    generator._fit = fewer


def main(train: str, domain_file: str, settings_file: str, out: str) -> None:
    """Bin, fit, sample, decode, tell."""
    warnings.filterwarnings("ignore")
    with open(domain_file, encoding="utf-8") as told:
        domain = json.load(told)
    with open(settings_file, encoding="utf-8") as told:
        settings = json.load(told)
    table = pd.read_csv(train, keep_default_na=False, na_values=[""])
    began = time.process_time()
    columns, paid = bin_columns(table, domain["columns"], settings)
    codes = pd.DataFrame({name: column.encode(table[name]) for name, column in columns.items()})
    sizes = {name: column.size for name, column in columns.items()}
    model = fit(codes, sizes, domain["target"], settings, settings["rho"] * (1 - paid))
    fitted = time.process_time()
    made = model.generate(n_records=len(table))
    random = np.random.default_rng(settings["seed"])
    rows = pd.DataFrame(
        {name: column.decode(made[name].to_numpy(dtype=int), random) for name, column in columns.items()}
    )
    for name, column in columns.items():
        if isinstance(column, Numeric) and column.whole:
            rows[name] = rows[name].astype("Int64")
    rows.to_csv(out, index=False)
    estimate = model.generator.model
    figures = {
        "fit_seconds": fitted - began,
        "sample_seconds": time.process_time() - fitted,
        "measured": len(model.generator.cliques),
        "model_bytes": 8 * estimate.size,
        "codes": sizes,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
