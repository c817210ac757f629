"""Attacks on rounds of training: what some organisations send in place of their updates, and what the gate says."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.recipe import Aggregate, Merge, Recipe
from headwater.recipe.layout import layout_of_update
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed

__all__ = ["ATTACKS", "FLIPPED", "HONEST", "Attack", "Tally", "attack_round", "lied", "with_other_labels"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Attack = Callable[[F64, float, np.random.Generator], F64]
"""From an honest payload and its weight, which bounds its norm in the same units, to what is sent."""


def _to(norm: float, payload: F64) -> F64:
    return payload * (norm / max(float(np.linalg.norm(payload)), 1.0))


def _noise(payload: F64, random: np.random.Generator) -> F64:
    return random.standard_normal(len(payload))


ATTACKS: Mapping[str, Attack] = {
    "own update × 1000, not clipped": lambda own, most, random: own * 1000,
    "own update, scaled to the clip norm": lambda own, most, random: _to(most, own),
    "sign flipped, scaled to the clip norm": lambda own, most, random: _to(most, -own),
    "sign flipped, ten times its size": lambda own, most, random: -10 * own,
    "sign flipped, at its own size": lambda own, most, random: -own,
    "random, at the clip norm": lambda own, most, random: _to(most, _noise(own, random)),
    "random, ten times its size": lambda own, most, random: _to(10 * float(np.linalg.norm(own)), _noise(own, random)),
    "random, at its own size": lambda own, most, random: _to(float(np.linalg.norm(own)), _noise(own, random)),
}
FLIPPED = "trained on rows with other labels"
HONEST = "nobody lies"


@dataclass
class Tally:
    """What became of one attack by so many organisations, over the rounds."""

    rounds: int = 0
    refused: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    worsened: list[float] = field(default_factory=list)

    def add(self, record: Mapping[str, object], honest_loss: float) -> None:
        """Count one round's verdict; `worsened` is the marginal loss beside the honest merge's, where it was taken."""
        self.rounds += 1
        flags = record["flags"]
        for flag in flags if isinstance(flags, list) else []:
            self.flags[flag] = self.flags.get(flag, 0) + 1
        if record["accepted"]:
            self.worsened.append(float(str(record["marginal_loss"])) / honest_loss)
        else:
            self.refused += 1

    def row(self) -> str:
        """Cells of the printed table."""
        flags = ", ".join(f"{name} {count}" for name, count in sorted(self.flags.items(), key=lambda item: -item[1]))
        worse = f"× {np.median(self.worsened):.2f}" if self.worsened else "–"
        return f"{self.refused} of {self.rounds} | {flags or '–'} | {worse}"


def with_other_labels(table: Table, plan: Plan) -> Table:
    """The rows with each label replaced by the next one."""
    target = plan.schema_.target
    if target is None or not hasattr(target, "categories"):
        raise SystemExit("this attack needs a target of categories; say another --target")
    labels = table.columns[target.name]
    columns = dict(table.columns) | {target.name: ((labels + 1) % len(target.categories)).astype(labels.dtype)}
    return Table(table.schema, columns, table.rows)


def lied(vector: NDArray[np.unsignedinteger], attack: Attack, random: np.random.Generator) -> I64:
    """What an attacker uploads in place of a vector: integers, whatever their size; the ring wraps them."""
    signed = to_signed(vector)
    cut = len(signed) - layout_of_update(0).length
    payload = attack(signed[:cut].astype(np.float64), float(signed[cut]), random)
    return np.concatenate([np.rint(payload).astype(np.int64), signed[cut:]])


def attack_round(
    recipe: Recipe,
    action: Aggregate,
    plan: Plan,
    parts: Sequence[Table],
    vectors: Sequence[NDArray[np.unsignedinteger]],
    tallies: dict[tuple[str, int], Tally],
    liars: Sequence[int],
    random: np.random.Generator,
) -> None:
    """Try every attack on a copy of a recipe that waits for a sum of updates.

    Args:
        recipe: left as it is.
        action: that it waits for an answer to.
        plan: of the run.
        parts: each organisation's rows.
        vectors: what each would send.
        tallies: by attack and number of liars; added to.
        liars: numbers of organisations that lie together.
        random: of the attacks.
    """
    kind, honest = vectors[0].dtype, [to_signed(vector) for vector in vectors]
    record = _outcome(recipe, _summed(honest, kind), len(vectors))
    loss = float(str(record["marginal_loss"]))
    tallies.setdefault((HONEST, 0), Tally()).add(record, loss)
    for number in liars:
        others = honest[number:]
        for name, attack in ATTACKS.items():
            lies = [lied(vector, attack, random) for vector in vectors[:number]]
            record = _outcome(recipe, _summed([*lies, *others], kind), len(vectors))
            tallies.setdefault((name, number), Tally()).add(record, loss)
        trained = [
            _as_many_rows(contribute(action.task, action.model, with_other_labels(part, plan), plan), own)
            for part, own in zip(parts, honest[:number], strict=False)
        ]
        record = _outcome(recipe, _summed([*trained, *others], kind), len(vectors))
        tallies.setdefault((FLIPPED, number), Tally()).add(record, loss)


def _as_many_rows(vector: NDArray[np.unsignedinteger], own: I64) -> I64:
    """An update with weight and metrics of another: rows with other labels split otherwise, and would be found out."""
    end = layout_of_update(0).length
    return np.concatenate([to_signed(vector)[:-end], own[-end:]])


def _summed(vectors: Sequence[I64], kind: np.dtype) -> NDArray[np.unsignedinteger]:
    total: NDArray[np.unsignedinteger] = np.add.reduce(list(vectors)).astype(kind)
    return total


def _outcome(recipe: Recipe, total: NDArray[np.unsignedinteger], contributors: int) -> Mapping[str, object]:
    """What a copy of the recipe makes of a sum: its merge record."""
    trial = copy.deepcopy(recipe)
    seen = len(trial.history)
    trial.add_sum(total, contributors)
    action = trial.next()
    if isinstance(action, Merge) and not action.restart:
        trial.add_model(*execute(action, device="cpu"))
    return next(record for record in trial.history[seen:] if record["kind"] == "merge")
