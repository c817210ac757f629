"""`headwater-org plan`: what is proposed to be done with your rows, and your decision on it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import InputError
from headwater_client.cli.enrolment import print_runs
from headwater_client.cli.options import Home, RunArgument
from headwater_client.cli.text import shown

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at the runs that are proposed; approve or refuse each.",
    epilog="Example:  headwater-org plan list --home hospital",
)


def register(app: typer.Typer) -> None:
    """Mount `plan`."""
    app.add_typer(_group, name="plan")


@_group.command("list", epilog="Example:  headwater-org plan list --home hospital")
def list_runs(home: Home = Path("organisation")) -> None:
    """List the runs that were proposed, oldest first, with your decision on each."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        runs = organisation.runs()
    console = Console(highlight=False)
    if not runs:
        console.print("No run has been proposed yet.")
        return
    print_runs(console, runs)


@_group.command(epilog="Example:  headwater-org plan show 4be1c09a --home hospital")
def show(run: RunArgument, home: Home = Path("organisation")) -> None:
    """Say in plain words what a run would do with your rows, and what it protects and does not protect.

    The plan is verified against the version of the charter that it was proposed under. Below it stand the columns with
    their public bounds, and what your own policy.toml says.
    """
    from headwater_client.budget import cost_in_words
    from headwater_client.organisation import Organisation
    from headwater_client.wording import column_in_words, plan_in_words

    with Organisation.open(home) as organisation:
        review = organisation.plan(run)
    proposal = review.proposal.proposal
    console = Console(highlight=False)
    console.print(f"[bold]Run {proposal.run_id}[/bold], proposed {proposal.created}")
    facts = Grid.grid(padding=(0, 2))
    for subject, sentence in plan_in_words(proposal.plan, review.charter):
        grave = subject == "privacy" or (subject == "when one drops out" and sentence.startswith("continue"))
        style = "bold red" if grave else ""
        facts.add_row(subject, f"[{style}]{shown(sentence)}[/{style}]" if style else shown(sentence))
    facts.add_row("your ledger", cost_in_words(proposal.plan, review.charged, review.limit))
    console.print(facts)
    columns = Grid("column", "what it holds", "marked")
    for column in proposal.plan.schema_.columns:
        marks = [word for word, yes in (("target", column.role == "target"), ("sensitive", column.sensitive)) if yes]
        columns.add_row(shown(column.name), shown(column_in_words(column)), ", ".join(marks))
    console.print(columns)
    for problem in review.policy.problems:
        console.print(f"[red]policy.toml forbids it: {shown(problem)}[/red]", soft_wrap=True)
    if review.waits_for and review.decided is None:
        console.print(f"[yellow]It cannot be approved now: {shown(review.waits_for)}[/yellow]", soft_wrap=True)
    if review.decided is not None:
        console.print(f"Your decision so far: {review.decided}.")
    elif review.policy.allowed and not review.waits_for:
        digest = proposal.plan.digest[:16]
        console.print(
            f"To agree: headwater-org plan approve {proposal.run_id} --digest {digest}\n"
            f"Else:     headwater-org plan refuse {proposal.run_id} --reason TEXT",
            soft_wrap=True,
        )


@_group.command(epilog="Example:  headwater-org plan approve 4be1c09a --digest 9d51f0c2a7b64e10 --home hospital")
def approve(
    run: RunArgument,
    home: Home = Path("organisation"),
    digest: Annotated[
        str | None, typer.Option(help="Digest of the plan that you read; its first 16 digits do.")
    ] = None,
) -> None:
    """Approve one run of one plan. It holds for this run id and this digest, and for nothing else.

    Without --digest the plan is shown and you are asked to type the first 16 digits of its digest.
    """
    from headwater_client.organisation import Organisation

    if digest is None:
        show(run, home)
        try:
            digest = typer.prompt("First 16 digits of the plan's digest")
        except typer.Abort as error:
            raise InputError("nothing was approved; give --digest with the plan's digest") from error
    with Organisation.open(home) as organisation:
        approval = organisation.approve(run, digest).approval
    typer.echo(f"Approved run {approval.run_id} of plan {approval.plan_digest[:16]}.")


@_group.command(epilog='Example:  headwater-org plan refuse 4be1c09a --reason "our board said no" --home hospital')
def refuse(
    run: RunArgument,
    reason: Annotated[str, typer.Option(help="Why, for the operator and the other members.")],
    home: Home = Path("organisation"),
) -> None:
    """Refuse one run. It then takes place without your rows, or not at all."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        approval = organisation.refuse(run, reason).approval
    typer.echo(f"Refused run {approval.run_id}.")
