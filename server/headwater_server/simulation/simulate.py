"""Simulate a run on one table and write what came of it."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from headwater.canonical import sha256_hex
from headwater.contribution.execution import sample_table
from headwater.errors import InputError
from headwater.evaluation.usefulness import Usefulness
from headwater.evidence.candidate_file import read_candidate
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import read_sampler
from headwater.recipe.actions import Done
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.task import seed_for
from headwater.schema.columns import BooleanColumn, CategoricalColumn
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.figures.health import draw_health
from headwater_server.output_folder import check_replaceable, result_folder
from headwater_server.runs.candidate import evidence_of
from headwater_server.runs.released import released_attack, released_in_words
from headwater_server.runs.round_words import training_outcome
from headwater_server.simulation.curve import write_curve
from headwater_server.simulation.driving import Cost, LocalEngine, Watcher, drive
from headwater_server.simulation.inputs import SimulationInputs
from headwater_server.simulation.pictures import draw_pictures, score_pictures
from headwater_server.simulation.spending import spending

__all__ = ["DATASET", "GENERATOR", "HEALTH", "RESULT", "EngineName", "simulate"]

DATASET, RESULT, HEALTH, GENERATOR = "synthetic.csv", "result.json", "health.svg", "generator"
EngineName = Literal["local", "flower"]


def simulate(
    inputs: SimulationInputs,
    out: Path,
    engine: EngineName,
    how: str,
    watcher: Watcher,
    *,
    curve: bool = False,
    keep_generator: bool = False,
) -> dict[str, object]:
    """Run the recipe on the organisations' rows, sample, score, and write the result folder.

    Args:
        inputs: plan and rows.
        out: folder to make; replaced if a simulation made it.
        engine: "local" computes the contributions in this process, "flower" on Flower's simulation engine.
        how: the partition, for the record.
        watcher: told how far it is.
        curve: whether the sample-size curve is measured, which takes a minute.
        keep_generator: whether the folder gets the generator's bundle.

    Returns:
        What stands in result.json.

    Raises:
        InputError: the folder is somebody else's, a curve of what cannot be scored, Flower's engine is not installed,
            the rows or a sum were refused.
    """
    check_replaceable(out, "simulate")
    plan, cost = inputs.plan, Cost()
    not_scored = _why_not_scored(inputs)
    if curve:
        _check_curve(inputs, not_scored)
    recipe = build_recipe(plan)
    if engine == "flower":
        from headwater_server.simulation.flower_engine import drive_on_flower

        done = drive_on_flower(recipe, inputs.parts, plan, watcher, cost)
    else:
        done = drive(recipe, LocalEngine(inputs.parts, plan), watcher, cost)
    started = time.monotonic()
    watcher.begins("sample")
    synthetic = _rows_of(done, inputs)
    cost.spend("sample", time.monotonic() - started)
    watcher.ends("sample", cost.seconds["sample"], ())
    started = time.monotonic()
    watcher.begins("score")
    scores = _scores(inputs, synthetic, not_scored)
    cost.spend("score", time.monotonic() - started)
    watcher.ends("score", cost.seconds["score"], ())
    with result_folder(out, "simulate") as folder:
        write_csv(synthetic, folder / DATASET)
        draw_health(recipe.history, folder / HEALTH)
        result = _result(inputs, recipe, cost, scores, engine, how, folder / DATASET) | {"rows": synthetic.rows}
        result["pictures"] = list(draw_pictures(synthetic, folder))
        result["not_scored"] = not_scored
        result["audit"] = None if done.audit is None else evidence_of(done.audit, plan).model_dump(mode="json")
        if curve:
            watcher.begins("curve")
            started = time.monotonic()
            real = scores["real"]
            result["curve"] = write_curve(inputs, done.model, done.encoding, folder, real["gbm"] if real else None)
            watcher.ends("curve", time.monotonic() - started, ())
        if keep_generator:
            result["generator_digest"] = Bundle(read_sampler(done.model), done.encoding).save(folder / GENERATOR)
        (folder / RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _rows_of(done: Done, inputs: SimulationInputs) -> Table:
    """The candidate, where one was audited; else as many rows as are shared out."""
    plan = inputs.plan
    if done.audit is not None and done.audit.candidate:
        return read_candidate(done.audit.candidate, plan.schema_)
    return sample_table(done.model, done.encoding, inputs.train.num_rows, seed_for(plan.seed, "sample"))


def _scores(inputs: SimulationInputs, synthetic: Table, not_scored: str) -> Mapping[str, dict[str, float] | None]:
    """Train on synthetic and on real rows, test on rows that nobody trained on; None where that cannot be."""
    if inputs.plan.schema_.images:
        return score_pictures(inputs, synthetic)
    if not_scored:
        return {"together": None, "real": None}
    judge = _judge(inputs)
    real = inputs.train.select(list(inputs.plan.schema_.names))
    return {"together": judge.score(synthetic.to_arrow()), "real": judge.score(real)}


def _why_not_scored(inputs: SimulationInputs) -> str:
    """Why no classifier can be tested on these rows, "" where one can."""
    schema = inputs.plan.schema_
    if schema.images:
        return ""
    if not isinstance(schema.target, CategoricalColumn | BooleanColumn):
        return "no column of categories is the target"
    try:
        _judge(inputs).check()
    except InputError as error:
        return str(error)
    return ""


def _check_curve(inputs: SimulationInputs, not_scored: str) -> None:
    """Refuse before the run what would be refused after it, with all that it had cost."""
    why = "it holds pictures, which the curve's trees do not read" if inputs.plan.schema_.images else not_scored
    if why:
        raise InputError(f"no curve can be measured on this table: {why}; leave --curve out")


def _judge(inputs: SimulationInputs) -> Usefulness:
    names = list(inputs.plan.schema_.names)
    target = inputs.plan.schema_.target
    return Usefulness(inputs.train.select(names), inputs.test.select(names), target.name if target else "")


def _result(
    inputs: SimulationInputs,
    recipe: Recipe,
    cost: Cost,
    scores: Mapping[str, dict[str, float] | None],
    engine: str,
    how: str,
    dataset: Path,
) -> dict[str, object]:
    plan = inputs.plan
    return {
        "organisations": len(inputs.parts),
        "partition": how,
        "engine": engine,
        "seed": plan.seed,
        "rounds": sum(record["kind"] == "update" for record in recipe.history),
        "sums": cost.sums,
        **training_outcome(recipe.history),
        "seconds": {what: round(seconds, 3) for what, seconds in cost.seconds.items()},
        # Flower's engine computes contributions in processes of its own.
        "cpu_seconds": round(cost.cpu_seconds, 3) if engine == "local" else None,
        "bytes_up": cost.bytes_up,
        "bytes_down": cost.bytes_down,
        "attack": released_attack(recipe.history),
        "released": released_in_words(plan, recipe.history),
        "together": scores["together"],
        "real": scores["real"],
        **({"nearest": scores["nearest"]} if "nearest" in scores else {}),
        "dataset": DATASET,
        "digest": sha256_hex(dataset.read_bytes()),
        "plan_digest": plan.digest,
        "schema_from_rows": inputs.schema_was_drafted,
        "changed_values": [asdict(change) for change in inputs.changes],
        "privacy": spending(plan, cost.asked, schema_from_rows=inputs.schema_was_drafted),
        "protection": plan.aggregation.protection,
        "history": list(recipe.history),
    }
