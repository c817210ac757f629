"""What encoding, sampling and a fit cost: CPU seconds, wall seconds, memory."""

import json
import pathlib
import statistics
import time
from typing import Any

import pyarrow as pa

from generator.datasets import DATASETS
from generator.meters import CpuWatch
from generator.rows import KEPT
from harness.memory import peak_bytes
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.evaluation.split import judge_split
from headwater.generator.sampler import Sampler, read_sampler
from headwater.recipe.machine import build_recipe
from headwater.schema import Schema
from headwater.schema.conform import conform
from headwater.schema.draft import draft
from headwater.schema.reading import read_arrow
from headwater_server.simulation.driving import Cost, LocalEngine, drive
from headwater_server.simulation.inputs import read_inputs

__all__ = ["measure_encoder", "measure_memory", "measure_sampling", "rows_a_second"]

_REPEATS = 5
_ORGANISATIONS = 5


def measure_sampling(*, file: str, table: str, model: str, seed: int, rows: int = 100_000) -> dict[str, Any]:
    """Rows per second of one core, decoding included, of a generator that another row kept.

    Args:
        file: not read.
        table: not read.
        model: the folder that the generator was kept in.
        seed: of the draw.
        rows: to draw each time.
    """
    del file, table
    folder = pathlib.Path(model)
    schema = Schema.from_toml((folder / KEPT["schema"]).read_text(encoding="utf-8"))
    encoding = Encoding.from_document(schema, json.loads((folder / KEPT["encoding"]).read_text(encoding="utf-8")))
    sampler = read_sampler((folder / KEPT["model"]).read_bytes())
    rates = [rows_a_second(sampler, encoding, rows, seed + repeat) for repeat in range(_REPEATS)]
    return {"rows_per_second": statistics.median(rates), "slowest": min(rates), "fastest": max(rates)}


def rows_a_second(sampler: Sampler, encoding: Encoding, rows: int, seed: int) -> float:
    """Rows that a generator draws a CPU second of this process, decoded."""
    begun = time.process_time()
    drawn = sum(batch.rows for batch in sampler.tables(encoding, rows, seed, device="cpu"))
    return drawn / (time.process_time() - begun)


def measure_encoder(*, file: str, table: str, seed: int) -> dict[str, Any]:
    """Wall seconds of fitting the encoding to the judge's training rows, pooled, and of encoding them."""
    del seed
    arrow = read_arrow(pathlib.Path(file))
    schema = draft(arrow, DATASETS[table].target, table)
    train, _ = judge_split(arrow.num_rows)
    rows, _ = conform(arrow.take(pa.array(train)), schema)
    settings, fits, transforms = EncodingSettings(), [], []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        encoding = Encoding.fit(schema, Histograms.of(schema, settings).count(rows), settings)
        fitted = time.perf_counter()
        encoding.encode(rows)
        fits.append(fitted - begun)
        transforms.append(time.perf_counter() - fitted)
    return {
        "rows": rows.rows,
        "fit_wall_seconds": statistics.median(fits),
        "transform_wall_seconds": statistics.median(transforms),
    }


def measure_memory(*, file: str, table: str, seed: int) -> dict[str, Any]:
    """Peak memory of a process in which one organisation holds the whole table and the coordinator works beside it.

    An organisation's process does less: it has no coordinator in it, and shares the rows with others.
    """
    path = pathlib.Path(file)
    inputs = read_inputs(path, DATASETS[table].target, _ORGANISATIONS, "iid", seed=seed)
    rows, _ = conform(read_arrow(path), inputs.plan.schema_)
    plan, columns = inputs.plan, len(inputs.plan.schema_.columns)
    del inputs
    before = peak_bytes()
    watch = CpuWatch()
    drive(build_recipe(plan), LocalEngine([rows], plan), watch, Cost())
    return {
        "rows": rows.rows,
        "columns": columns,
        "peak_bytes": peak_bytes(),
        "before_bytes": before,
        "seconds": watch.seconds,
    }
