"""How much poison the aggregate shows: `python tools/bench/run_poison.py --data adult.csv --target income`.

Follows an honest run. At each of its training rounds every attack is tried on a copy of the recipe: one or more of the
organisations send what the attack says in place of their own vectors, within what one vector may hold, and the copy
takes the sum or not. At rounds of counts, a mixture's among them, one organisation's lies are tried in the same way.
Then whole runs with one liar are followed to their end. Writes build/bench/poison.json and prints three tables.
"""

import argparse
import json
import pathlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from headwater_server.simulation.inputs import read_inputs
from poison.counts import ENDS, GOES_ON, LIES, NEXT, TAKEN, Asked, Vector, applies, become_of
from poison.ends import LIARS, End, Honest, run_to_the_end
from poison.updates import Tally, attack_round, with_other_labels

Tallies = dict[tuple[str, int], Tally]
Outcomes = dict[tuple[str, str], Counter[str]]


def follow(
    plan: Plan, parts: Sequence[Table], liars: Sequence[int], every: int, tallies: Tallies, outcomes: Outcomes
) -> None:
    """One honest run with every attack tried at every training round, and every lie in rounds of counts.

    Args:
        plan: of the run.
        parts: each organisation's rows.
        liars: numbers of organisations that poison training together.
        every: lies are tried at one round of expectation of so many.
        tallies: of attacks on training; added to.
        outcomes: of lies in counts, by kind of round and lie; added to.
    """
    recipe, random = build_recipe(plan), np.random.default_rng(plan.seed)
    strange, climbed = with_other_labels(parts[0], plan), 0

    def summed(action: Aggregate) -> Vector:
        total: Vector = np.add.reduce([contribute(action.task, action.model, part, plan) for part in parts])
        return total

    while not isinstance(action := recipe.next(), Done):
        if not isinstance(action, Aggregate):
            recipe.add_model(*execute(action, device="cpu"))
            continue
        vectors = [contribute(action.task, action.model, part, plan) for part in parts]
        total = np.add.reduce(vectors, dtype=vectors[0].dtype)
        kind = action.task.kind
        if kind == "update":
            attack_round(recipe, action, plan, parts, vectors, tallies, liars, random)
        elif kind != "expectation" or climbed % every == 0:

            def other(action: Aggregate = action) -> NDArray[np.int64]:
                return to_signed(contribute(action.task, action.model, strange, plan))

            asked = Asked(action, to_signed(vectors[0]), to_signed(total), other, total.dtype, random)
            for name in (name for name in LIES if applies(name, kind)):
                said = become_of(recipe, asked, name, len(parts), summed)
                outcomes.setdefault((kind, name), Counter())[said] += 1
        climbed += kind == "expectation"
        recipe.add_sum(total, len(vectors))
        print(".", end="", flush=True)


def show(tallies: Tallies, outcomes: Outcomes, ends: dict[str, End], organisations: int) -> None:
    """Print the tables."""
    if tallies:
        print(f"\n| attack | by | not taken | flags | marginal loss where taken |\n{'| --- ' * 5}|")
    for (name, number), tally in sorted(tallies.items(), key=lambda item: item[0][1]):
        print(f"| {name} | {number} of {organisations} | {tally.row()} |")
    print(f"\n| round | lie of one | {ENDS} | {GOES_ON} | {NEXT} | {TAKEN} |\n{'| --- ' * 6}|")
    for (kind, name), counted in outcomes.items():
        print(f"| {kind} | {name} | {' | '.join(str(counted[said]) for said in (ENDS, GOES_ON, NEXT, TAKEN))} |")
    if ends:
        print(
            f"\n| one of {organisations}, to the end | rounds not taken | ended on | released | off |\n{'| --- ' * 5}|"
        )
    for name, end in ends.items():
        print(f"| {name} | {end.row()} |")


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
    arguments.add_argument("--seeds", type=int, default=3, help="honest runs to follow; 0 for --ends alone")
    arguments.add_argument("--every", type=int, default=5, help="try lies at one round of expectation of so many")
    arguments.add_argument("--ends", action="store_true", help="follow whole runs with a liar too, of the first seed")
    arguments.add_argument("--set", action="append", default=[], help="a setting of the plan, as of simulate")
    given = arguments.parse_args()
    tallies: Tallies = {}
    outcomes: Outcomes = {}
    ends: dict[str, End] = {}
    honest: Honest | None = None
    for seed in range(max(given.seeds, 1)):
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
        if seed < given.seeds:
            follow(inputs.plan, parts, given.liars, given.every, tallies, outcomes)
        for name, liar in LIARS.items() if given.ends and not seed else ():
            ends[name], honest = run_to_the_end(inputs.plan, parts, liar, honest)
            print(f"\n{name}: {ends[name].row()}", flush=True)
    show(tallies, outcomes, ends, given.organisations)
    build = pathlib.Path("build/bench")
    build.mkdir(parents=True, exist_ok=True)
    figures = {
        "updates": [{"attack": name, "liars": number, **vars(tally)} for (name, number), tally in tallies.items()],
        "counts": [{"round": kind, "lie": name, **counted} for (kind, name), counted in outcomes.items()],
        "ends": [{"liar": name, "row": end.row()} for name, end in ends.items()],
    }
    (build / "poison.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
