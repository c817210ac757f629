"""One fit that is not the default one, under the same budget and before the same judge."""

import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import quality
from generator.attacks import trained_rows
from generator.datasets import DATASETS
from generator.judging import judge
from generator.simulated import as_a_stranger_reads
from headwater.agreement.charge import plan_events
from headwater.contribution.execution import sample_table
from headwater.encoding.encoding import Encoding
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.events import Event
from headwater.privacy.shares import honest_members
from headwater.recipe.actions import Done, ModelReport
from headwater.recipe.machine import build_recipe
from headwater.recipe.private_steps import private_budget
from headwater.recipe.task import seed_for
from headwater_server.simulation.driving import Cost, LocalEngine
from headwater_server.simulation.inputs import SimulationInputs, read_inputs
from privacy.fits.network import fit_network
from privacy.fits.noised_em import fit_em, sums_in_budget
from privacy.fits.rounds import count_codes, count_tables
from privacy.fits.settings import EmFit, NetworkFit

__all__ = ["MAKERS", "Fitted", "em_changes", "make_em", "make_network", "measure"]

_BYTES_OF_A_VALUE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A generator and what it cost.

    Attributes:
        model: as bytes.
        encoding: codes to rows.
        events: everything that was released.
        cost: CPU seconds of all parties together, bytes from all organisations.
    """

    model: bytes
    encoding: Encoding
    events: tuple[Event, ...]
    cost: Cost


def measure(
    *, file: str, table: str, fit: str, organisations: int, epsilon: float, delta: float, seed: int
) -> dict[str, Any]:
    """Make a generator under a budget, and judge its table as a stranger would.

    Args:
        file: the table.
        table: its name in `DATASETS`.
        fit: "network" or "em".
        organisations: how many share the rows out, IID.
        epsilon: of the budget.
        delta: of the budget.
        seed: of the plan.

    Returns:
        Figures of the judge, CPU seconds, bytes, ε by the accountant.
    """
    path, target = pathlib.Path(file), DATASETS[table].target
    make, changes = MAKERS[fit]
    budget = Budget(epsilon=epsilon, delta=delta)
    inputs = read_inputs(path, target, organisations, "iid", seed=seed, changes=changes, budget=budget)
    fitted = make(inputs)
    rows = sample_table(fitted.model, fitted.encoding, inputs.train.num_rows, seed_for(seed, "sample"))
    train, test = quality.split(quality.read(path))
    return {
        **judge(train, test, as_a_stranger_reads(rows), target),
        "fit_seconds": fitted.cost.cpu_seconds,
        "bytes_up": fitted.cost.bytes_up,
        "spent": spent(fitted.events, delta).epsilon,
    }


def make_network(inputs: SimulationInputs, settings: NetworkFit = NetworkFit()) -> Fitted:
    """The rounds of the default recipe, and a network fitted to what they counted."""
    plan, cost, began = inputs.plan, Cost(), time.process_time()
    machine = build_recipe(plan)
    model, misfit = fit_network(count_tables(machine, LocalEngine(inputs.parts, plan), cost), settings)
    machine.add_model(model.to_bytes(), ModelReport(misfit, 0, {}))
    done = machine.next()
    if not isinstance(done, Done):
        raise SystemExit(f"error: a private run asks for {type(done).__name__} after its fit, expected its end")
    cost.cpu_seconds = time.process_time() - began
    return Fitted(done.model, done.encoding, plan_events(plan), cost)


def make_em(inputs: SimulationInputs, settings: EmFit = EmFit()) -> Fitted:
    """The first round of the default recipe, and rounds of noised EM on the codes that it fixes.

    Args:
        inputs: whose plan gives the first round `settings.encoder_share` of the budget, as `em_changes` says it.
        settings: of the fit.
    """
    plan, members, cost, began = inputs.plan, len(inputs.parts), Cost(), time.process_time()
    budget = private_budget(plan)
    codes = count_codes(plan, LocalEngine(inputs.parts, plan), members, cost)
    form, honest = codes.known.form, honest_members(budget, members, plan.colluders)
    sums = sums_in_budget(form, settings.rounds, budget.epsilon, budget.delta, honest, [codes.event])
    rows = [form.rows(trained_rows([part], plan.splits), codes.encoding) for part in inputs.parts]
    mixture = fit_em(rows, codes.known, settings, sums, seed_for(plan.seed, "fit"))
    cost.cpu_seconds = time.process_time() - began
    cost.bytes_up += settings.rounds * members * mixture.components * (1 + form.cells) * _BYTES_OF_A_VALUE
    return Fitted(mixture.to_bytes(), codes.encoding, (codes.event, sums.event), cost)


def em_changes(settings: EmFit) -> list[str]:
    """What makes a plan's first round that of noised EM, as `simulate --set` takes it."""
    rest = (1 - settings.encoder_share) / 2
    return [
        f"recipe.private.columns_share={settings.encoder_share}",
        f"recipe.private.label_share={rest}",
        f"recipe.private.pairs_share={rest}",
        f"recipe.encoding.numeric_codes={settings.codes}",
    ]


MAKERS: dict[str, tuple[Callable[[SimulationInputs], Fitted], list[str]]] = {
    "network": (make_network, []),
    "em": (make_em, em_changes(EmFit())),
}
