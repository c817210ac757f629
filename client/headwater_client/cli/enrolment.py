"""`headwater-org enroll` and `headwater-org status`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater_client.reviews import RunReview

__all__ = ["print_runs", "register"]

# Enough to name one run among millions, and short enough for a table.
_SHOWN_DIGITS = 12


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(epilog="Example:  headwater-org enroll eyJjYV9zaGEy… --home hospital")(enroll)
    app.command(epilog="Example:  headwater-org status --home hospital")(status)


def enroll(
    token: Annotated[str, typer.Argument(help="The one line that the operator sent you. Good once.")],
    home: Home = Path("organisation"),
) -> None:
    """Join a consortium: make keys on this machine and get a certificate for them.

    The token carries the coordinator's address and the digest of the consortium's CA, so nobody on the way can pose as
    the coordinator. Private keys are made in HOME/keys and never leave it. An attempt that failed can be repeated with
    the same token.
    """
    from headwater.agreement.signing import fingerprint, public_key_hex
    from headwater_client.keystore import KeyStore
    from headwater_client.organisation import Organisation
    from headwater_client.settings import Home as Folder

    with Organisation.enroll(token, home) as organisation:
        key = fingerprint(public_key_hex(KeyStore(Folder(home).keys).identity_key()))
        console = Console()
        console.print(f"Enrolled as [bold]{organisation.member_id}[/bold] in {home}.", highlight=False)
        console.print(f"Your key: {key}", highlight=False, soft_wrap=True)
        console.print(
            f"Your own rules are in {home / 'policy.toml'}. When the operator has proposed the charter: "
            f"headwater-org charter show --home {home}",
            highlight=False,
            soft_wrap=True,
        )


def status(home: Home = Path("organisation")) -> None:
    """Show how things stand: certificate, charter, privacy ledger, agent, coordinator, runs.

    Works while the coordinator is away; it then says so and shows what is known here.
    """
    from headwater_client.organisation import Organisation
    from headwater_client.wording import digest_in_groups

    with Organisation.open(home) as organisation:
        standing = organisation.status()
    console = Console(highlight=False)
    facts = Grid.grid(padding=(0, 2))
    facts.add_row("organisation", f"{shown(standing.name)} ({standing.member_id})")
    facts.add_row("certificate", f"good until {standing.certificate_expires:%Y-%m-%d}")
    facts.add_row("charter", standing.charter_standing)
    if standing.charter is not None:
        facts.add_row("", digest_in_groups(standing.charter.charter.digest))
    ledger = shown(standing.ledger)
    facts.add_row("ledger", ledger if standing.ledger_holds else f"[bold red]no part in any run:[/bold red] {ledger}")
    facts.add_row("agent", "serving" if standing.serving else "not serving: headwater-org serve --data FILE")
    facts.add_row(
        "coordinator", f"{standing.coordinator}: {'reachable' if standing.reachable else shown(standing.problem)}"
    )
    console.print(facts)
    if standing.runs:
        print_runs(console, standing.runs)


def print_runs(console: Console, runs: "Sequence[RunReview]") -> None:
    """Runs as a table that fits 80 columns; what the coordinator says of each stands below it."""
    grid = Grid("run", "plan", "state", "sums", "your decision")
    for review in runs:
        mine = review.decided or "none yet"
        grid.add_row(
            shown(review.status.run_id[:_SHOWN_DIGITS]),
            shown(review.status.plan_name),
            shown(review.status.state),
            f"{review.status.rounds_done} of {review.status.rounds_planned}",
            f"{mine}, by the standing rule" if review.by_rule else mine,
        )
    grid.columns[0].no_wrap = True
    console.print(grid)
    for review in runs:
        if review.status.detail:
            text = f"{review.status.run_id[:_SHOWN_DIGITS]}: {review.status.detail}"
            console.print(shown(text), soft_wrap=True)
