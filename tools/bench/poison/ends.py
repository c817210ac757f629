"""Whole runs in which one organisation lies to the end: what is not taken, what is released, how far it is off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import Marginal, count
from headwater.errors import InputError
from headwater.generator.refiner.model import RefinedMixture, is_refined
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from headwater_server.runs.round_words import training_outcome
from poison.counts import Asked, Vector, spoiled
from poison.updates import ATTACKS, lied, with_other_labels

__all__ = ["LIARS", "End", "Honest", "run_to_the_end"]

I64 = NDArray[np.int64]

_ROWS = 20_000

Liar = Callable[[Asked, Vector], Vector]
"""From the round and the liar's honest vector, to the sum with its lie in it."""


def _in_training(attack: str) -> Liar:
    def lie(asked: Asked, vector: Vector) -> Vector:
        sent = asked.own if asked.action.task.kind != "update" else lied(vector, ATTACKS[attack], asked.random)
        return (asked.total - asked.own + sent).astype(asked.ring)

    return lie


def _other_labels(asked: Asked, vector: Vector) -> Vector:
    return (asked.total - asked.own + asked.other()).astype(asked.ring)


def _in_counts(name: str, kind: str) -> Liar:
    def lie(asked: Asked, vector: Vector) -> Vector:
        return spoiled(asked, name) if asked.action.task.kind == kind else asked.total.astype(asked.ring)

    return lie


LIARS: Mapping[str, Liar] = {
    "nobody lies": lambda asked, vector: asked.total.astype(asked.ring),
    "one of the rows has other labels, in all rounds alike": _other_labels,
    "every update with its sign flipped, at its own size": _in_training("sign flipped, at its own size"),
    "every update random, at the clip norm": _in_training("random, at the clip norm"),
    "in a climb, components of a class made alike": _in_counts(
        "components of a class made alike, by one who knows the sum", "expectation"
    ),
    "in a climb, components a tenth less different in every round": _in_counts(
        "a tenth less different, by one who knows the sum", "expectation"
    ),
    "in the evaluation, the critic's opinion turned round": _in_counts(
        "the critic's opinion turned round, by one who knows the sum", "evaluate"
    ),
}
"""Who lies how, from the first round to the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Honest:
    """What the tables of an honest run say, to measure others by.

    Attributes:
        encoding: of the run.
        tables: counted pairs of columns.
    """

    encoding: Encoding
    tables: Sequence[Marginal]

    def distance(self, done: Done) -> float:
        """Mean total variation distance of released rows from the pairs."""
        codes = self.encoding.encode(sample_table(done.model, done.encoding, _ROWS, 1, device="cpu"))
        drawn = count(codes, self.encoding.sizes, [table.columns for table in self.tables])
        return float(
            np.mean(
                [
                    np.abs(own / own.sum() - table.counts / table.counts.sum()).sum() / 2
                    for own, table in zip(drawn, self.tables, strict=True)
                ]
            )
        )


@dataclass(frozen=True, slots=True)
class End:
    """How a run came out.

    Attributes:
        refused: rounds that were not taken.
        ended: why the run has no result, or what it was cut short to.
        released: what was released.
        distance: of its rows from the honest pairs; none of a run without a result.
    """

    refused: int
    ended: str
    released: str
    distance: float | None

    def row(self) -> str:
        """Cells of the printed table."""
        away = "–" if self.distance is None else f"{self.distance:.4f}"
        return f"{self.refused} | {self.ended or '–'} | {self.released} | {away}"


def run_to_the_end(plan: Plan, parts: Sequence[Table], liar: Liar, honest: Honest | None) -> tuple[End, Honest | None]:
    """One run whose first organisation lies.

    Args:
        plan: of the run.
        parts: each organisation's rows.
        liar: what the first one does.
        honest: what to measure by; None where this run is the honest one.

    Returns:
        How it came out, and what was measured by.
    """
    recipe, random = build_recipe(plan), np.random.default_rng(plan.seed)
    strange = with_other_labels(parts[0], plan)
    try:
        while not isinstance(action := recipe.next(), Done):
            if not isinstance(action, Aggregate):
                recipe.add_model(*execute(action, device="cpu"))
                continue
            vectors = [contribute(action.task, action.model, part, plan) for part in parts]

            def other(action: Aggregate = action) -> I64:
                return to_signed(contribute(action.task, action.model, strange, plan))

            total = to_signed(np.add.reduce(vectors, dtype=vectors[0].dtype))
            asked = Asked(action, to_signed(vectors[0]), total, other, vectors[0].dtype, random)
            recipe.add_sum(liar(asked, vectors[0]), len(parts))
    except InputError as error:
        return End(1, f"the run: {error}", "nothing", None), honest
    if honest is None:
        pairs = [table for table in recipe.marginals if len(table.columns) == 2]
        honest = Honest(action.encoding, pairs)
    outcome = training_outcome(recipe.history)
    return End(int(outcome["refused_rounds"]), str(outcome["ended_on"]), _kind(action), honest.distance(action)), honest


def _kind(done: Done) -> str:
    if not is_refined(done.model):
        return "the base"
    model = RefinedMixture.from_bytes(done.model)
    moved = "refined draws" if len(model.refiner) else "base draws"
    return f"{moved}, weighed by {model.weighing.strength:g}" if model.weighing is not None else moved
