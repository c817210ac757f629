"""`headwater-org release`: what may be published of your runs, your own audit of it, and your signature."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headwater.errors import InputError
from headwater_client.cli.options import Home
from headwater_client.cli.release_page import said_before, show_review, stands, undecided
from headwater_client.cli.text import shown

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Review releases before they are published: audit them by your own rows, then sign or refuse.",
    epilog="Example:  headwater-org release list --home hospital",
)

_Release = Annotated[
    str, typer.Argument(metavar="RELEASE", help="NAME, NAME/VERSION, or a digest's first digits (see `release list`).")
]


def register(app: typer.Typer) -> None:
    """Mount `release`."""
    app.add_typer(_group, name="release")


@_group.command("list", epilog="Example:  headwater-org release list --home hospital")
def list_releases(home: Home = Path("organisation")) -> None:
    """List releases of your consortium's runs: what waits for signatures, what is published, what was refused."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        releases, own = organisation.releases(), organisation.member_id
    console = Console(highlight=False)
    if not releases:
        console.print("Nothing waits: no run was put up for release yet.")
        return
    # No table: name and digest are typed elsewhere, and a narrow one would cut them.
    for each in releases:
        mine = each.decisions.get(own, "nothing yet")
        console.print(
            f"{shown(each.name)}/{each.version}  {each.release_digest[:16]}  {shown(each.state)}; "
            f"{shown(each.verdict)}; you said {shown(mine)}\n  {shown(each.detail)}",
            soft_wrap=True,
        )


@_group.command(epilog="Example:  headwater-org release review adult --data patients.csv --home hospital")
def review(
    release: _Release,
    home: Home = Path("organisation"),
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Your rows, as for serve: those that you trained with and kept for audits."),
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="Column that names whose each row is, for plans that protect persons.")
    ] = None,
) -> None:
    """Fetch a release that waits, verify everything about it, and attack it with your own rows.

    Signatures, digests, the plan that you approved and the gate's decision are checked here and not believed. With
    --data every check runs on your own rows; the figures are for your eyes: they stay in audit-internal.json in your
    home folder, which only you can read. The rows that `serve` holds are its process's own, so name the file again.
    """
    from headwater_client.organisation import Organisation

    console = Console(highlight=False)
    with Organisation.open(home) as organisation, console.status("fetching and verifying") as status:
        found = organisation.review_release(
            release,
            data,
            entity=entity,
            watcher=lambda progress: status.update(f"own audit: {progress.check} ({progress.done} of {progress.of})"),
        )
    show_review(console, found, home)


@_group.command(epilog="Example:  headwater-org release approve adult --digest 9d51f0c2a7b64e10 --home hospital")
def approve(
    release: _Release,
    home: Home = Path("organisation"),
    digest: Annotated[
        str | None, typer.Option(help="Digest of the release that you reviewed; its first 16 digits do.")
    ] = None,
    despite: Annotated[
        str,
        typer.Option(
            help="Why you sign though your own audit fails, or without one; the others read it, under a budget nobody."
        ),
    ] = "",
) -> None:
    """Sign a release. At the charter's quorum the coordinator publishes it; nothing takes that back.

    Until then `refuse` takes it back, and signing again tells what you said.

    Without --digest you are asked to type the first 16 digits that `release review` showed. An own audit that fails
    keeps you from signing, unless --despite says why; one that your rows are too few to decide is no objection, and is
    told here. Under a privacy budget nobody but you judges the release on your
    rows: without an own audit it cannot be signed, and what your rows are too few to show is told here.
    """
    from headwater_client.organisation import Organisation

    if digest is None:
        try:
            digest = typer.prompt("First 16 digits of the release's digest")
        except typer.Abort as error:
            raise InputError("nothing was signed; give --digest with the release's digest") from error
    with Organisation.open(home) as organisation:
        found, before = organisation.review_release(release), organisation.said_of_release(release)
        signed = organisation.approve_release(release, digest, despite)
    own, decision = found.own, signed.decision
    if signed == before:
        typer.echo(f"{said_before(before)} It {stands(found.status)} Nothing was sent anew.")
        return
    if own is not None:
        if own.unshown:
            typer.echo("Signed although your rows are too few to show, and nobody else can under the budget:")
        for line in own.unshown:
            typer.echo(f"  {shown(line)}")
        if (said := undecided(own, found.release.audit.decision)) and not own.unshown:
            typer.echo(said)
    in_place = f" It takes the place of what you said before: {said_before(before)}" if before is not None else ""
    typer.echo(f"Signed release {decision.release_digest[:16]} of run {decision.run_id[:8]}.{in_place}")


@_group.command(epilog='Example:  headwater-org release refuse adult --reason "our own audit fails" --home hospital')
def refuse(
    release: _Release,
    reason: Annotated[str, typer.Option(help="Why, for the operator and the other members.")],
    home: Home = Path("organisation"),
) -> None:
    """Refuse a release. It is not published unless a quorum of the others signs it.

    An approval that you gave is taken back by it, until the release is published.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        before = organisation.said_of_release(release)
        signed = organisation.refuse_release(release, reason)
    if signed == before:
        typer.echo(f"{said_before(before)} Nothing was sent anew.")
        return
    decision = signed.decision
    in_place = f" It takes the place of what you said before: {said_before(before)}" if before is not None else ""
    typer.echo(f"Refused release {decision.release_digest[:16]} of run {decision.run_id[:8]}.{in_place}")


@_group.command("open-canaries", epilog="Example:  headwater-org release open-canaries --home hospital")
def open_canaries(home: Home = Path("organisation")) -> None:
    """Open your canaries of finished runs under a privacy budget, as `serve` does by itself.

    Such canaries are drawn from the schema alone, and the run is over: the secret says nothing of any row. With it
    everybody can compute what the candidate remembers of them.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        opened = organisation.open_canaries()
    typer.echo(f"Opened the canaries of {', '.join(run[:8] for run in opened)}." if opened else "Nothing to open.")


@_group.command(epilog="Example:  headwater-org release waivers --home hospital")
def waivers(home: Home = Path("organisation")) -> None:
    """List what the operator asks two organisations to answer for: gates that could not be shown to pass."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        found, own = organisation.waivers(), organisation.member_id
        states = {f"{each.name}/{each.version}": each.state for each in organisation.releases()}
    console = Console(highlight=False)
    if not found:
        console.print("No waiver was prepared.")
        return
    for each in found:
        waiver = each.waiver
        signed = ", ".join(each.approvers) or "nobody"
        state = states.get(waiver.release)
        over = f"; over, since {waiver.release} is {shown(state)}" if state else ""
        mine = ", you among them" if own in each.approvers else ""
        console.print(
            f"{waiver.digest[:16]}  {waiver.gate} of {waiver.release} may be {waiver.outcome} until {waiver.expires}, "
            f"for table {waiver.candidate[:16]}; signed by {shown(signed)}{mine}{over}\n  {shown(waiver.reason)}",
            soft_wrap=True,
        )


@_group.command(epilog="Example:  headwater-org release waive 4be1c09a77d2e318 --home hospital")
def waive(
    waiver: Annotated[str, typer.Argument(metavar="WAIVER", help="First 16 digits or more of the waiver's digest.")],
    home: Home = Path("organisation"),
) -> None:
    """Sign a waiver: you answer, with one other organisation, for a gate that was not passed. It is on the card.

    It is for one release, by name and version, and for one table; once that release waits for signatures it is over.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        own = organisation.member_id
        before = {each.waiver.digest for each in organisation.waivers() if own in each.approvers}
        signed = organisation.waive(waiver)
    again = signed.waiver.digest in before
    said = "You had signed" if again else "Signed"
    rest = " Nothing changed by signing again." if again else ""
    typer.echo(
        f"{said} the waiver of {signed.waiver.gate} for {signed.waiver.release}; signed by "
        f"{', '.join(signed.approvers)}.{rest}"
    )
