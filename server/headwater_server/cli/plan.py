"""`plan draft|check|propose`: what a run will do, before anything runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage

if TYPE_CHECKING:
    from headwater.agreement.plan import Plan

__all__ = ["read_plan", "register"]

_group = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Draft, check and propose plans.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(_group, name="plan")


def read_plan(path: Path) -> "Plan":
    """A plan from a TOML file.

    Raises:
        InputError: no such file, or not a plan.
    """
    from headwater.agreement.plan import Plan
    from headwater.errors import InputError

    if not path.is_file():
        raise InputError(f"there is no file {path}; headwater-coordinator plan draft writes one")
    return Plan.from_toml(path.read_text(encoding="utf-8"))


@_group.command(epilog="Example:  headwater-coordinator plan draft --schema schema.toml --out plan.toml --rounds 4")
def draft(
    schema: Annotated[Path, typer.Option(help="The schema that the members agreed on, TOML.")],
    out: Annotated[Path, typer.Option(help="The plan to write, TOML.")] = Path("plan.toml"),
    rounds: Annotated[int, typer.Option(help="Rounds of adversarial training; 0 fits to sums alone.", min=0)] = 4,
    seed: Annotated[int, typer.Option(help="Public seed of all draws that are not secret.", min=0)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a plan with every setting at its default, to be read and edited."""
    from headwater.agreement.plan import Plan
    from headwater.errors import InputError
    from headwater.flower_bundle import bundle_sha256
    from headwater.recipe.settings import RecipeSettings
    from headwater.schema import Schema

    if not schema.is_file():
        raise InputError(f"there is no file {schema}; headwater schema draft writes one")
    if out.exists() and not force:
        raise InputError(f"{out} is there already; choose another --out or say --force")
    contract = Schema.from_toml(schema.read_text(encoding="utf-8"))
    name = "".join(c if c.isalnum() else "-" for c in contract.name.lower()).strip("-") or "plan"
    plan = Plan(
        name=name[:64],
        schema=contract,
        recipe=RecipeSettings(rounds=rounds),
        privacy="none",
        seed=seed,
        stub_sha256=bundle_sha256(),
    )
    out.write_text(plan.to_toml(), encoding="utf-8")
    typer.echo(f"wrote {out}; read it, then: headwater-coordinator plan check {out}")


@_group.command(epilog="Example:  headwater-coordinator plan check plan.toml")
def check(plan: Annotated[Path, typer.Argument(help="The plan, TOML.")]) -> None:
    """Say in plain words what a plan would do, and what keeps it from being proposed."""
    from rich.console import Console

    from headwater.errors import InputError

    document = read_plan(plan)
    console = Console()
    schema, recipe, terms = document.schema_, document.recipe, document.aggregation
    target = schema.target.name if schema.target is not None else "none"
    console.print(f"[bold]{document.name}[/bold]: {len(schema.columns)} columns, target {target}")
    console.print(f"recipe {recipe.kind}, {recipe.rounds} rounds of training, at most {document.maximum_rounds} sums")
    console.print(f"at least {terms.minimum_cohort} organisations in each sum, {terms.retries} retries")
    console.print("[bold red]privacy: none[/bold red] – NOT DIFFERENTIALLY PRIVATE; the coordinator sees exact sums")
    console.print("[bold red]no protection against differencing[/bold red] – a run goes on when a member drops out")
    console.print(f"plan {document.digest}", soft_wrap=True)
    if problems := _problems(document):
        raise InputError(f"the plan cannot be proposed: {'; '.join(problems)}")
    console.print("It can be proposed.")


def _problems(plan: "Plan") -> list[str]:
    from headwater.flower_bundle import bundle_sha256

    problems = []
    if guesses := plan.schema_.unconfirmed:
        columns = sorted({column for column, _ in guesses})
        shown = ", ".join(columns[:5]) + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")
        problems.append(f"{len(guesses)} guesses of the schema are not confirmed (columns {shown}); confirm each")
    if plan.stub_sha256 != bundle_sha256():
        problems.append(
            f"it pins Flower bundle {plan.stub_sha256[:12]}, installed is {bundle_sha256()[:12]}; draft the plan again"
        )
    return problems


@_group.command(epilog="Example:  headwater-coordinator plan propose plan.toml")
def propose(
    plan: Annotated[Path, typer.Argument(help="The plan, TOML.")],
    home: HomeOption = Path("coordinator"),
) -> None:
    """Propose one run of a plan to the members; prints the run id on its last line.

    Each organisation decides by the plan's digest: headwater-org plan approve RUN. Refused are plans with guesses that
    nobody confirmed, and a charter that not every member has signed.
    """
    import datetime
    import secrets

    from headwater.agreement.approval import RunProposal, SignedProposal
    from headwater.agreement.session import roster_of, terms_of
    from headwater.errors import InputError, OutOfOrder
    from headwater.secagg.terms import cohort_problem

    document = read_plan(plan)
    if problems := _problems(document):
        raise InputError(f"the plan cannot be proposed: {'; '.join(problems)}")
    place = open_home(home)
    storage = open_storage(place)
    signed = storage.charter()
    if signed is None:
        raise OutOfOrder("there is no charter yet; headwater-coordinator charter propose comes first")
    if signed.missing_signatures:
        raise OutOfOrder(f"the charter is not signed by {', '.join(signed.missing_signatures)}; wait for them")
    signed.verify()
    charter, run_id = signed.charter, secrets.token_hex(16)
    roster = roster_of(charter, document)
    if problem := cohort_problem(len(charter.members), roster.minimum_cohort, roster.colluders):
        raise InputError(f"the plan cannot run under this charter: {problem}")
    terms_of(document, run_id, 1).check_headroom(len(charter.members))
    proposal = RunProposal(
        run_id=run_id,
        plan=document,
        charter_digest=charter.digest,
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    storage.add_run(SignedProposal.sign(proposal, place.charter_key()))
    typer.echo(f"proposed plan {document.digest} to {len(charter.members)} members; run id:")
    typer.echo(run_id)
