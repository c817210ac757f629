"""What the steps of a run cost as rows and columns grow: `python tools/bench/generator_growth.py`.

Prints CPU seconds and peak memory for tables of so many rows and columns, each measured in a process of its own.
`measure_growth` is what the generator's benchmark calls; the same file with --child is that process.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from harness.machine import machine
from harness.tables import amount, mebibytes, seconds, table, values
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import choose_subsets, count
from headwater.encoding.settings import EncodingSettings
from headwater.mixture.expectation import expect
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.sampling import sample_tables
from headwater.mixture.settings import MixtureSettings
from headwater.mixture.start import components_of_classes, first_mixture
from headwater.recipe.settings import MarginalSettings
from headwater.schema import CategoricalColumn, Column, NumericColumn, Schema
from headwater.schema.table import Table

__all__ = ["SIZES", "STEPS", "grown_table", "growth_table", "measure_growth", "steps"]

SIZES = ((1_000, 15), (10_000, 15), (100_000, 15), (1_000_000, 15), (100_000, 30), (100_000, 50), (100_000, 100))
"""Rows and columns that the script measures."""

STEPS = ("histograms", "fit", "encode", "decode", "marginals", "features", "expectation", "sample")
"""What is timed, in the order of a run."""

_COMPONENTS = 100
_SAMPLED = 100_000
_T = TypeVar("_T")


def grown_table(rows: int, columns: int, seed: int = 0) -> Table:
    """A table like those of the benchmarks: a third categories, a third whole numbers, a third reals, and a label.

    Args:
        rows: how many.
        columns: how many, the label included; 2 at least.
        seed: of the values.
    """
    random = np.random.default_rng(seed)
    hidden = random.normal(size=rows)
    schema: list[Column] = []
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for place in range(columns - 1):
        name, value = f"x{place}", 0.5 * hidden + random.normal(size=rows)
        if place % 3 == 0:
            schema.append(CategoricalColumn(name=name, categories=tuple(f"c{code}" for code in range(12))))
            arrays[name] = np.clip(np.rint(value * 2 + 6), 0, 11).astype(np.int32)
        elif place % 3 == 1:
            schema.append(NumericColumn(name=name, lower=0, upper=100, integer=True))
            arrays[name] = np.clip(np.rint(value * 15 + 50), 0, 100)
        else:
            schema.append(NumericColumn(name=name, lower=0, upper=1e6))
            arrays[name] = np.clip(np.exp(value + 7), 0, 1e6)
    schema.append(CategoricalColumn(name="label", categories=("no", "yes"), role="target"))
    arrays["label"] = (hidden + random.normal(size=rows) > 0).astype(np.int32)
    return Table(Schema(name="grown", columns=tuple(schema)), arrays, rows)


def steps(rows: int, columns: int) -> dict[str, float]:
    """CPU seconds of each of `STEPS` in this process, and its memory.

    Returns:
        By step; "sampled_rows" of the last one, "table_bytes" of the table as it stands in memory, "peak_bytes" of
        the process so far.
    """
    spent: dict[str, float] = {}

    def timed(step: str, work: Callable[[], _T]) -> _T:
        begun = time.process_time()
        result = work()
        spent[step] = time.process_time() - begun
        return result

    whole = grown_table(rows, columns)
    spent["table_bytes"] = float(sum(part.nbytes for part in whole.columns.values()))
    histograms = Histograms.of(whole.schema, EncodingSettings())
    counts = timed("histograms", lambda: histograms.count(whole))
    encoding = timed("fit", lambda: Encoding.fit(whole.schema, counts))
    codes = timed("encode", lambda: encoding.encode(whole))
    timed("decode", lambda: encoding.decode(codes, np.random.default_rng(1)))
    label = whole.schema.target_index
    subsets = choose_subsets(encoding.sizes, label, MarginalSettings().cells)
    timed("marginals", lambda: sum(len(each) for each in count(codes, encoding.sizes, subsets)))
    form = Form.choose(encoding, label, (), MixtureSettings())
    features = timed("features", lambda: form.rows(whole, encoding))
    mixture = _mixture(form, features)
    nobody = RowFeatures(features.classes[:0], features.units[:0], features.scores[:0])
    timed("expectation", lambda: expect(mixture, features, nobody))
    spent["sampled_rows"] = float(min(rows, _SAMPLED))
    drawn = sample_tables(mixture, encoding, int(spent["sampled_rows"]), 1, batch_size=8192)
    timed("sample", lambda: sum(batch.rows for batch in drawn))
    spent["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return spent


def measure_growth(rows: int, columns: int) -> dict[str, float]:
    """What `steps` measures, in a process of its own on one thread.

    Raises:
        SystemExit: the process failed.
    """
    command = [sys.executable, __file__, "--child", str(rows), str(columns)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{rows} rows of {columns} columns could not be measured: {done.stderr.strip()[-500:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def growth_table(measured: Mapping[tuple[int, int], Mapping[str, float]]) -> str:
    """Markdown: a row for each size, CPU seconds of each step, rows sampled a second, peak memory."""
    head = ("rows × columns", *STEPS, "rows sampled a second", "table", "peak memory")
    lines = []
    for (rows, columns), figures in measured.items():
        rate = figures["sampled_rows"] / max(figures["sample"], 1e-9)
        memory = (mebibytes(figures["table_bytes"]), mebibytes(figures["peak_bytes"]))
        costs = [seconds(figures[step]) for step in STEPS]
        lines.append((f"{values(rows)} × {columns}", *costs, amount(rate), *memory))
    return table(head, lines)


def _mixture(form: Form, features: RowFeatures) -> Mixture:
    counts = [np.bincount(features.units[:, place], minlength=size) for place, size in enumerate(form.unit_sizes)]
    classes = np.bincount(features.classes, minlength=form.classes).tolist()
    per_class = components_of_classes(classes, max(1.0, len(features.classes) / _COMPONENTS), _COMPONENTS)
    return first_mixture(form, [each.astype(np.float64) for each in counts], per_class, np.random.default_rng(0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every size, or be the process that measures one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--child", nargs=2, type=int, metavar=("ROWS", "COLUMNS"), help="measure in this process")
    parser.add_argument("--sizes", nargs="*", metavar="ROWSxCOLUMNS", help="in place of the script's own")
    given = parser.parse_args(arguments)
    if given.child:
        print(json.dumps(steps(*given.child)))
        return
    sizes = [tuple(map(int, size.split("x"))) for size in given.sizes] if given.sizes else SIZES
    print(f"{machine()}; a mixture of {_COMPONENTS} components\n")
    print(growth_table({(rows, columns): measure_growth(rows, columns) for rows, columns in sizes}))


if __name__ == "__main__":
    main()
