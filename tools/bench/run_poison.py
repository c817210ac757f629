"""How much poison the gate sees in the aggregate: `python tools/bench/run_poison.py --data adult.csv --target income`.

Follows an honest run. At each of its training rounds every attack is tried on a copy of the recipe: one or more of the
organisations send what the attack says in place of their own vectors, within what one vector may hold, and the copy
takes the sum or not. Writes build/bench/poison.json and prints one row an attack.
"""

import argparse
import copy
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.recipe import Aggregate, Done, Merge, Recipe, build_recipe
from headwater.recipe.layout import layout_of_update
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from headwater_server.simulation.inputs import read_inputs

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


def split(vector: NDArray[np.unsignedinteger]) -> tuple[F64, I64]:
    """Payload as floats, and the rest: weight and metrics."""
    signed = to_signed(vector)
    cut = len(signed) - (layout_of_update(0).length)
    return signed[:cut].astype(np.float64), signed[cut:]


def sent(payload: F64, rest: I64) -> I64:
    """What an attacker uploads: integers, whatever their size; the ring wraps them."""
    return np.concatenate([np.rint(payload).astype(np.int64), rest])


def summed(vectors: Sequence[I64], kind: np.dtype) -> NDArray[np.unsignedinteger]:
    """The ring's sum."""
    total: NDArray[np.unsignedinteger] = np.add.reduce(list(vectors)).astype(kind)
    return total


def with_other_labels(table: Table, plan: Plan) -> Table:
    """The rows with each label replaced by the next one."""
    target = plan.schema_.target
    if target is None or not hasattr(target, "categories"):
        raise SystemExit("this attack needs a target of categories; say another --target")
    labels = table.columns[target.name]
    columns = dict(table.columns) | {target.name: ((labels + 1) % len(target.categories)).astype(labels.dtype)}
    return Table(table.schema, columns, table.rows)


def outcome(recipe: Recipe, total: NDArray[np.unsignedinteger], contributors: int) -> Mapping[str, object]:
    """What a copy of the recipe makes of a sum: its merge record."""
    trial = copy.deepcopy(recipe)
    seen = len(trial.history)
    trial.add_sum(total, contributors)
    action = trial.next()
    if isinstance(action, Merge) and not action.restart:
        trial.add_model(*execute(action, device="cpu"))
    return next(record for record in trial.history[seen:] if record["kind"] == "merge")


def follow(plan: Plan, parts: Sequence[Table], tallies: dict[tuple[str, int], Tally], liars: Sequence[int]) -> None:
    """One honest run with every attack tried at every training round."""
    recipe, random = build_recipe(plan), np.random.default_rng(plan.seed)
    while not isinstance(action := recipe.next(), Done):
        if not isinstance(action, Aggregate):
            recipe.add_model(*execute(action, device="cpu"))
            continue
        vectors = [contribute(action.task, action.model, part, plan) for part in parts]
        total = np.add.reduce(vectors, dtype=vectors[0].dtype)
        if action.task.kind == "update":
            _attack(recipe, action, plan, parts, vectors, tallies, liars, random)
        recipe.add_sum(total, len(vectors))


def _attack(
    recipe: Recipe,
    action: Aggregate,
    plan: Plan,
    parts: Sequence[Table],
    vectors: Sequence[NDArray[np.unsignedinteger]],
    tallies: dict[tuple[str, int], Tally],
    liars: Sequence[int],
    random: np.random.Generator,
) -> None:
    kind, honest = vectors[0].dtype, [split(vector) for vector in vectors]
    record = outcome(recipe, summed([sent(*each) for each in honest], kind), len(vectors))
    loss = float(str(record["marginal_loss"]))
    tallies.setdefault((HONEST, 0), Tally()).add(record, loss)
    for number in liars:
        others = [sent(*each) for each in honest[number:]]
        for name, attack in ATTACKS.items():
            lies = [sent(attack(own, float(rest[0]), random), rest) for own, rest in honest[:number]]
            record = outcome(recipe, summed([*lies, *others], kind), len(vectors))
            tallies.setdefault((name, number), Tally()).add(record, loss)
        trained = [
            to_signed(contribute(action.task, action.model, with_other_labels(part, plan), plan))
            for part in parts[:number]
        ]
        record = outcome(recipe, summed([*trained, *others], kind), len(vectors))
        tallies.setdefault((FLIPPED, number), Tally()).add(record, loss)
    print(".", end="", flush=True)


def main() -> None:
    """Try every attack on every round of every seed."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=pathlib.Path, required=True)
    arguments.add_argument("--target", required=True)
    arguments.add_argument("--organisations", type=int, default=5)
    arguments.add_argument("--liars", type=int, nargs="*", default=[1, 2])
    arguments.add_argument("--rows", type=int, default=0, help="rows of each organisation at most; 0 for all")
    arguments.add_argument("--partition", default="iid")
    arguments.add_argument("--recipe", default="hybrid")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--set", action="append", default=[], help="a setting of the plan, as of simulate")
    given = arguments.parse_args()
    tallies: dict[tuple[str, int], Tally] = {}
    for seed in range(given.seeds):
        inputs = read_inputs(
            given.data,
            given.target,
            given.organisations,
            given.partition,
            plan_file=None,
            schema_file=None,
            recipe=given.recipe,
            seed=seed,
            changes=given.set,
        )
        most = given.rows or max(part.rows for part in inputs.parts)
        parts = [part.take(np.arange(min(most, part.rows))) for part in inputs.parts]
        follow(inputs.plan, parts, tallies, given.liars)
    print(f"\n\n| attack | by | not taken | flags | marginal loss where taken |\n{'| --- ' * 5}|")
    for (name, number), tally in sorted(tallies.items(), key=lambda item: item[0][1]):
        print(f"| {name} | {number} of {given.organisations} | {tally.row()} |")
    build = pathlib.Path("build/bench")
    build.mkdir(parents=True, exist_ok=True)
    figures = [{"attack": name, "liars": number, **vars(tally)} for (name, number), tally in tallies.items()]
    (build / "poison.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
