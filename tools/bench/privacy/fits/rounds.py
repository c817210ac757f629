"""The rounds of a private run that other fits share with the default one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import cells_of
from headwater.mixture.form import Form
from headwater.privacy.events import NoisyCounts
from headwater.privacy.shares import carried_variance, honest_members
from headwater.recipe.actions import Aggregate, FitNoisy
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.private_steps import private_budget, private_steps
from headwater_server.simulation.driving import Cost, LocalEngine
from privacy.fits.noised_em import KnownShares

__all__ = ["Codes", "count_codes", "count_tables"]

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """What a private run's first round fixes.

    Attributes:
        encoding: made from its noisy counts.
        known: the counts themselves, by code and class.
        event: what the round costs.
    """

    encoding: Encoding
    known: KnownShares
    event: NoisyCounts


def count_tables(machine: Recipe, engine: LocalEngine, cost: Cost) -> FitNoisy:
    """Follow a run until everything is counted, and say what the default fit would be given.

    Args:
        machine: fresh.
        engine: of the organisations.
        cost: the bytes are added to it.

    Raises:
        SystemExit: the run asks for something else than noisy counts and a fit to them.
    """
    while isinstance(action := machine.next(), Aggregate):
        _sum(machine, action, engine, cost)
    if not isinstance(action, FitNoisy):
        raise SystemExit(f"error: a private run asks for {type(action).__name__}, expected a fit to noisy counts")
    return action


def count_codes(plan: Plan, engine: LocalEngine, members: int, cost: Cost) -> Codes:
    """Run the first round alone: each feature's cells with the label.

    Args:
        plan: with a budget.
        engine: of the organisations.
        members: how many they are.
        cost: the bytes are added to it.

    Raises:
        SystemExit: the round counts something else, as without a label.
    """
    machine = build_recipe(plan)
    first = machine.next()
    label = plan.schema_.target_index
    if not isinstance(first, Aggregate) or "subsets" not in first.task.parameters or label is None:
        raise SystemExit("error: the first round does not count columns with a label; give a table that has one")
    summed = _sum(machine, first, engine, cost)
    second = machine.next()
    if not isinstance(second, Aggregate):
        raise SystemExit("error: a private run has one round, expected one that asks for counts in codes after it")
    grid, encoding = (
        Encoding.from_document(plan.schema_, action.task.parameters["encoding"]) for action in (first, second)
    )
    event = private_steps(plan)[0].event
    honest = honest_members(private_budget(plan), members, plan.colluders)
    noise = carried_variance(event.variance, honest, members)
    form, by_column, at = Form(encoding.sizes, label, (), ()), {}, 0
    for subset in first.task.parameters["subsets"]:
        cells = cells_of(grid.sizes, subset)
        table = summed[at : at + cells].reshape([grid.sizes[column] for column in subset])
        column = subset[1] if subset[0] == label else subset[0]
        by_column[column] = _by_code(table if subset[0] == label else table.T, encoding, column)
        at += cells
    counts = np.concatenate([by_column[column][0] for column in form.alone], axis=1)
    cells_of_code = np.concatenate([by_column[column][1] for column in form.alone])
    known = KnownShares(form, counts, np.tile(noise * cells_of_code, (form.classes, 1)))
    return Codes(encoding, known, event)


def _sum(machine: Recipe, action: Aggregate, engine: LocalEngine, cost: Cost) -> F64:
    """Sum one round and tell the recipe; its payload."""
    total, organisations = engine.sum(action.task, action.model)
    cost.bytes_up += total.nbytes * organisations
    machine.add_sum(total, organisations)
    layout = layout_of_counts(action.task.length - layout_of_counts(0).length)
    return layout.split(total).payload.astype(np.float64)


def _by_code(counts: F64, encoding: Encoding, column: int) -> tuple[F64, F64]:
    """Counts on a column's grid, shape (classes, cells), by its codes; and how many cells each code has."""
    codes, size = encoding.columns[column].code_of_cell, encoding.sizes[column]
    summed = np.stack([np.bincount(codes, weights=of_class, minlength=size) for of_class in counts])
    return summed.astype(np.float64), np.bincount(codes, minlength=size).astype(np.float64)
