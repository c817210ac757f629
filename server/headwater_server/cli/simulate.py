"""`simulate`: try a plan on one table, without processes and masks."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headwater_server.cli.options import Delta, Epsilon, Mode, MostRows, RecipeChoice, Records, Unit, budget_of

if TYPE_CHECKING:
    from rich.console import Console

    from headwater_server.simulation.inputs import SimulationInputs

__all__ = ["register"]


class _Engine(Enum):
    """Where contributions are computed."""

    LOCAL = "local"
    FLOWER = "flower"


_Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting in place of the plan's, such as recipe.rounds=8 or recipe.mixture.attack_limit=0.55; may be "
        "given again.",
    ),
]

_Plan = Annotated[
    Path | None,
    typer.Option(help="A plan in TOML; without it, hybrid, or mixture for pictures; marginals under --epsilon."),
]
_Schema = Annotated[Path | None, typer.Option(help="A schema in TOML; without it, one is read from the rows.")]
_Policy = Annotated[
    str | None,
    typer.Option(
        help="End with an audit under this policy, as `plan draft` names it, in place of the plan's; none for no "
        "audit, which is the default without a plan."
    ),
]
_Entity = Annotated[
    str | None, typer.Option(help="Column that names whose each row is, for --unit entity; it is not synthesised.")
]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        epilog="Example:  headwater-coordinator simulate --data adult.csv --target income --organisations 5 "
        "--partition iid --out sim"
    )(simulate)


def simulate(
    data: Annotated[Path, typer.Option(help="The whole table: CSV, CSV.gz or Parquet.")],
    out: Annotated[Path, typer.Option(help="Folder to write; replaced only if a simulation made it.")],
    target: Annotated[
        str | None,
        typer.Option(help="Column that a model will be asked to predict; without it, the plan's or the schema's."),
    ] = None,
    organisations: Annotated[int, typer.Option(help="How many organisations share the rows, 3 or more.")] = 3,
    partition: Annotated[
        str, typer.Option(help="How rows are shared out: iid, label:A (Dirichlet, skewed by the target), column:NAME.")
    ] = "iid",
    plan: _Plan = None,
    schema: _Schema = None,
    recipe: Annotated[
        RecipeChoice | None, typer.Option(help="What is fitted, in place of the plan's or the default.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed in place of the plan's.", min=0, max=2**53 - 1)] = None,
    changes: _Changes = None,
    epsilon: Epsilon = None,
    delta: Delta = None,
    unit: Unit = None,
    records: Records = None,
    most_rows: MostRows = None,
    mode: Mode = None,
    entity: _Entity = None,
    policy: _Policy = None,
    engine: Annotated[
        _Engine, typer.Option(help="local: in this process; flower: Flower's simulation engine, on Ray.")
    ] = _Engine.LOCAL,
    curve: Annotated[
        bool, typer.Option("--curve", help="Measure what a model gains from more synthetic rows, 500 to 128,000.")
    ] = False,
    keep_generator: Annotated[
        bool, typer.Option("--keep-generator", help="Leave the generator in OUT, for `sample` and `compress`.")
    ] = False,
) -> None:
    """Simulate a run: what would these organisations make together?

    The recipe, the contributions and the integer arithmetic are those of a real run; only masks, processes and
    approvals are left out, so the generator is the same to the last bit. A fifth of the rows is held out and never
    trained on; it judges.

    OUT gets synthetic.csv (as many rows as the training part), result.json (scores, wall and CPU seconds, bytes,
    attack, history) and health.svg; for columns of pictures also pictures-1.svg, a contact sheet of synthetic ones,
    and so on; with --curve also curve.json and curve.svg, with --keep-generator the folder generator. Nothing here is
    private: whoever runs this has all rows anyway. With --epsilon every sum carries the noise that it would in a run
    under that budget, and result.json says what was spent of it, event by event. With --policy, or a plan that has an
    audit, the run ends with one: synthetic.csv then has the very rows that were attacked, and result.json the figures.
    """
    from rich.console import Console

    from headwater_server.cli.measures import print_measures
    from headwater_server.output_folder import check_replaceable
    from headwater_server.simulation.inputs import read_inputs
    from headwater_server.simulation.narration import Narrator
    from headwater_server.simulation.simulate import simulate as run_simulation

    console = Console()
    check_replaceable(out, "simulate")
    inputs = read_inputs(
        data,
        target,
        organisations,
        partition,
        plan_file=plan,
        schema_file=schema,
        recipe=None if recipe is None else recipe.value,
        seed=seed,
        changes=changes or (),
        budget=budget_of(epsilon, delta, unit, records, most_rows, mode),
        entity=entity,
        policy=policy,
    )
    _print_inputs(console, inputs, partition)
    with Narrator(console) as narrator:
        result = run_simulation(
            inputs, out, engine.value, partition, narrator, curve=curve, keep_generator=keep_generator
        )
    _print_scores(console, result)
    print_measures(console, result["audit"])
    _print_end(console, result, out)


def _print_inputs(console: "Console", inputs: "SimulationInputs", partition: str) -> None:
    from rich.markup import escape

    if inputs.schema_was_drafted:
        said = "[yellow]Schema read from the rows:[/yellow] a real run needs one that a person confirmed."
        console.print(said, soft_wrap=True)
    elif guesses := inputs.plan.schema_.unconfirmed:
        console.print(
            f"[yellow]The schema holds {len(guesses)} unconfirmed guesses;[/yellow] confirm them for a real run.",
            soft_wrap=True,
        )
    for warning in inputs.warnings:
        console.print(f"[yellow]{escape(warning)}[/yellow]", highlight=False, soft_wrap=True)
    for change in inputs.changes:
        console.print(
            f"[yellow]{escape(change.column)}:[/yellow] {escape(change.what)}", highlight=False, soft_wrap=True
        )
    rows = ", ".join(f"{part.rows:,}" for part in inputs.parts[:10])
    more = ", …" if len(inputs.parts) > 10 else ""
    shared = f"{len(inputs.parts)} organisations with {rows}{more} rows ({partition})"
    console.print(shared, highlight=False, markup=False, soft_wrap=True)


def _print_end(console: "Console", result: dict[str, Any], out: Path) -> None:
    """What it cost, what was written, and last what was released."""
    from rich.markup import escape

    if (seconds := result["cpu_seconds"]) is not None:
        said = f"{seconds:.1f} CPU seconds of all parties together, without sampling and scores."
        console.print(said, highlight=False, soft_wrap=True)
    console.print(f"Wrote {_written_in_words(result, out)}.", highlight=False, markup=False, soft_wrap=True)
    console.print(f"Released: {escape(result['released'])}. {_privacy(result)}", highlight=False, soft_wrap=True)


def _privacy(result: dict[str, Any]) -> str:
    """What such rows would mean for the people behind them, with rich markup."""
    from headwater.privacy.words import NOT_PRIVATE

    if result["privacy"] == "none":
        return f"[bold red]{NOT_PRIVATE}[/bold red]: for simulations only."
    privacy = result["privacy"]
    schema = "" if privacy["schema"] == "given" else f"; [yellow]{privacy['schema']}[/yellow]"
    return (
        f"[bold]Such a run spends {privacy['words']}[/bold], of a budget of ε = {privacy['budget_epsilon']:g}{schema}. "
        "The simulation itself protects nobody: whoever runs it has all rows."
    )


def _written_in_words(result: dict[str, Any], out: Path) -> str:
    """Every file of the folder that is for people, with what it shows."""
    from headwater_server.simulation.curve import CURVE_PLOT
    from headwater_server.simulation.simulate import DATASET, GENERATOR, HEALTH, RESULT

    parts = [f"{RESULT} (scores, cost, history)"]
    if (out / HEALTH).is_file():
        parts.append(f"{HEALTH} (how the run went)")
    parts += [f"{name} (synthetic pictures)" for name in result["pictures"]]
    if "curve" in result:
        parts.append(f"{CURVE_PLOT} (worth of more rows)")
    if "generator_digest" in result:
        parts.append(f"{GENERATOR}/ (for sample and compress)")
    return f"{result['rows']:,} rows to {out / DATASET}, and beside it {', '.join(parts)}"


def _print_scores(console: "Console", result: dict[str, object]) -> None:
    from rich.markup import escape
    from rich.table import Table

    # Pictures are judged by right answers, tables by how well models rank rows.
    figures = ("svc", "forest", "lr") if "nearest" in result else ("gbm", "lr")
    measure = "right answers" if "nearest" in result else "ROC AUC"
    table = Table(title=f"A model trained on these rows, tested on real ones ({measure})")
    for heading in ("trained on", *figures):
        table.add_column(heading)
    for label, key in (("synthetic rows, made together", "together"), ("real rows, pooled", "real")):
        scores = result[key]
        if isinstance(scores, dict):
            table.add_row(label, *(f"{scores[figure]:.3f}" for figure in figures))
    if table.row_count:
        console.print(table)
    else:
        console.print(f"No classifier is scored: {escape(str(result['not_scored']))}.", highlight=False)
