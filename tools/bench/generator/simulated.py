"""One simulation, judged: what it made, what it cost, what attacks learn from it."""

import json
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import quality
from generator.attacks import likelihood_auc, likelihood_tpr, nearest_auc, trained_rows
from generator.datasets import DATASETS
from generator.judging import judge
from generator.meters import CpuWatch
from generator.rows import KEPT
from harness.memory import peak_bytes
from headwater.agreement.charge import plan_events
from headwater.agreement.plan import Plan
from headwater.contribution.execution import sample_table
from headwater.generator.sampler import Sampler, read_sampler
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.recipe.actions import Done
from headwater.recipe.machine import build_recipe
from headwater.recipe.settings import UpdateSettings
from headwater.recipe.task import seed_for
from headwater.schema.conform import conform
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.runs.released import released_attack
from headwater_server.runs.round_words import draws_in_words
from headwater_server.simulation.driving import Cost, LocalEngine, drive
from headwater_server.simulation.inputs import SimulationInputs, read_inputs

__all__ = ["as_a_stranger_reads", "last_judgement", "measure"]


def measure(
    *,
    file: str,
    table: str,
    recipe: str | None,
    partition: str,
    organisations: int,
    changes: Sequence[str],
    seed: int,
    keep: str | None = None,
    budget: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Simulate a consortium as `headwater-coordinator simulate` does; judge its table as a stranger would.

    Args:
        file: the table.
        table: its name in `DATASETS`.
        recipe: a kind of recipe; None for the default plan's.
        partition: as `simulate` takes it.
        organisations: how many.
        changes: settings, as `--set` takes them.
        seed: of the plan.
        keep: folder to keep the generator in.
        budget: of privacy, as a plan has it; None for a run without.

    Returns:
        Figures of the judge, attacks, CPU seconds, bytes.
    """
    target = DATASETS[table].target
    path = pathlib.Path(file)
    inputs = read_inputs(
        path,
        target,
        organisations,
        partition,
        recipe=_kind(recipe),
        seed=seed,
        changes=changes,
        budget=None if budget is None else Budget(**budget),
    )
    plan, watch, cost = inputs.plan, CpuWatch(), Cost()
    machine = build_recipe(plan)
    done = drive(machine, LocalEngine(inputs.parts, plan), watch, cost)
    fitted = time.process_time()
    synthetic = sample_table(done.model, done.encoding, inputs.train.num_rows, seed_for(plan.seed, "sample"))
    sampled, peak = time.process_time(), peak_bytes()
    sampler = read_sampler(done.model)
    if keep is not None:
        _keep(pathlib.Path(keep), done, sampler)
    return {
        **_judged(path, target, synthetic, inputs),
        **_likelihood(sampler, done, inputs),
        "attack_validation": released_attack(machine.history),
        "fit_seconds": cost.cpu_seconds,
        "sample_seconds": sampled - fitted,
        "seconds": watch.seconds,
        "steps": watch.steps,
        "peak_bytes": peak,
        "sums": cost.sums,
        "bytes_up": cost.bytes_up,
        "generator_bytes": len(sampler.to_bytes()),
        **_told(machine.history),
        **_step(watch, plan.recipe.training, organisations),
        **_spent(plan),
    }


def _kind(recipe: str | None) -> Any:
    # The product's own check refuses what is none of its kinds.
    return recipe


def _judged(path: pathlib.Path, target: str, synthetic: Table, inputs: SimulationInputs) -> dict[str, float]:
    train, test = quality.split(quality.read(path))
    made = as_a_stranger_reads(synthetic)
    figures = judge(train, test, made, target)
    table = quality.Table(train, target)
    trained = as_a_stranger_reads(trained_rows(inputs.parts, inputs.plan.splits))
    return figures | {"nearest": nearest_auc(table, table.align(trained), table.align(test), table.align(made))}


def as_a_stranger_reads(rows: Table) -> Any:
    """Rows as a data frame, by way of the file that a user gets."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "rows.csv"
        write_csv(rows, file)
        return quality.read(file)


def _likelihood(sampler: Sampler, done: Done, inputs: SimulationInputs) -> dict[str, float | None]:
    unseen, _ = conform(inputs.test, inputs.plan.schema_)
    trained = trained_rows(inputs.parts, inputs.plan.splits)
    return {
        "attack": likelihood_auc(sampler, done.encoding, trained, unseen),
        "attack_tpr": likelihood_tpr(sampler, done.encoding, trained, unseen),
    }


def _spent(plan: Plan) -> dict[str, float]:
    """ε of a run under a budget, by the accountant."""
    if plan.privacy == "none":
        return {}
    return {"spent": spent(plan_events(plan), plan.privacy.delta).epsilon}


def _keep(folder: pathlib.Path, done: Done, sampler: Sampler) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEPT["schema"]).write_text(done.encoding.schema.to_toml(), encoding="utf-8")
    (folder / KEPT["encoding"]).write_text(json.dumps(done.encoding.to_document()), encoding="utf-8")
    (folder / KEPT["model"]).write_bytes(sampler.to_bytes())


def _told(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rounds of training that were run, those that were taken, and what the last judgement released."""
    rounds = sum(record["kind"] == "update" for record in history)
    # A round's verdict stands with its merge.
    taken = sum(record["kind"] == "merge" and bool(record["accepted"]) for record in history)
    return {"rounds": rounds, "taken": taken, **last_judgement(history)}


def last_judgement(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was released, and the critic's AUC on the base's draws and on those that it tells worst from rows."""
    judged = [record for record in history if record["kind"] == "judge"]
    if not judged:
        return {}
    last = judged[-1]
    if "candidates" not in last:
        # Nothing was evaluated: the base is tilted, or no round was taken.
        return {"released": f"base: {last['reason']}"}
    words = draws_in_words(last) if last["accepted"] else "base"
    best = min((candidate["auc"] for candidate in last["candidates"]), key=lambda auc: abs(auc - 0.5))
    return {"released": words, "critic_of_base": last["candidates"][0]["base_auc"], "critic_of_best": best}


def _step(watch: CpuWatch, settings: UpdateSettings, organisations: int) -> dict[str, float]:
    """CPU seconds of one local step: a generator's, with the critic's that belong to it."""
    steps = watch.steps.get("update", 0) * organisations * settings.local_steps
    return {"step_seconds": watch.seconds["update"] / steps, "batch": settings.batch} if steps else {}
