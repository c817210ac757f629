"""`demo`: a whole consortium on this machine, end to end."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from headwater_server.cli.options import (
    Delta,
    Epsilon,
    Mode,
    MostRows,
    PlanSeed,
    RecipeChoice,
    Records,
    Rounds,
    Unit,
    budget_of,
)

__all__ = ["register"]


class Sabotage(StrEnum):
    """What goes wrong on purpose."""

    MEMORISER = "memoriser"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(epilog="Example:  headwater-coordinator demo --data adult.csv --target income --organisations 5")(demo)


def demo(
    data: Annotated[Path | None, typer.Option(help="CSV, CSV.gz or Parquet; breast-cancer records by default.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict; needed with --data.")] = None,
    schema: Annotated[Path | None, typer.Option(help="A schema, TOML; drafted from the rows by default.")] = None,
    organisations: Annotated[int, typer.Option(help="How many organisations share the rows out; at least 3.")] = 3,
    recipe: Annotated[
        RecipeChoice | None, typer.Option(help="What is fitted, as in a plan; hybrid, or marginals under --epsilon.")
    ] = None,
    rounds: Rounds = None,
    partition: Annotated[
        str, typer.Option(help="How rows are shared out: iid, label:A (Dirichlet, skewed by the target), column:NAME.")
    ] = "label:1",
    epsilon: Epsilon = None,
    delta: Delta = None,
    unit: Unit = None,
    records: Records = None,
    most_rows: MostRows = None,
    mode: Mode = None,
    seed: PlanSeed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results; replaced only if a demo made it.")] = Path("demo"),
    sabotage: Annotated[
        Sabotage | None,
        typer.Option(help="Let the coordinator hand out copied rows: the gate, which knows nothing of it, refuses."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the whole consortium up until Ctrl-C.")] = False,
) -> None:
    """Show a whole consortium on this machine: real processes, TLS, Flower nodes and masks.

    A coordinator and N organisations, each with its own keys and its own part of the rows, enrol, sign a charter,
    approve a plan (the demo approves for them), and train together. The rows that may be released go before the
    gate of policy demo; what so few rows cannot show, two organisations answer for by name. Each organisation
    audits the release by its own rows and signs it, the quorum publishes it, and it is downloaded and verified as a
    researcher would. At the end one table compares what each organisation's own generator achieves alone, what the
    shared one achieves, and what pooled real rows would. Of hybrid the demo trains 4 rounds, or under --epsilon 30
    steps of its critic, unless --rounds says otherwise. Nothing of it stays running, unless --keep leaves the whole
    consortium up.

    With --sabotage memoriser the coordinator hands out copied rows; the demo then ends with what the gate found, and
    exit status 1.

    With --epsilon every sum carries noise. Each organisation alone then has the same ε and noise of its own, and in the
    end the card, every organisation's ledger and `headwater verify` must come to the same ε.
    """
    from headwater.errors import InputError
    from headwater_server.demo.run import DemoRequest, run_demo

    budget = budget_of(epsilon, delta, unit, records, most_rows, mode)
    if budget is not None and budget.unit == "entity":
        raise InputError(
            "the demo's organisations have no column that names persons; leave --unit out, or try it by "
            "headwater-coordinator simulate --unit entity --entity COLUMN"
        )
    run_demo(
        DemoRequest(
            data=data,
            target=target,
            schema=schema,
            organisations=organisations,
            recipe=None if recipe is None else recipe.value,
            rounds=rounds,
            partition=partition,
            seed=seed,
            out=out,
            keep=keep,
            budget=budget,
            sabotage="" if sabotage is None else "memoriser",
        )
    )
