"""`headwater-org release`: what may be published of your runs, your own audit of it, and your signature."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import InputError
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from headwater.release.policy.decision import Decision
    from headwater_client.release_decisions import ReleaseReview

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
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "inconclusive": "magenta", "not applicable": "dim"}


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
    grid = Grid("release", "digest", "state", "verdict", "yours", "who signed")
    for each in releases:
        mine = each.decisions.get(own, "–")
        name = f"{shown(each.name)}/{each.version}"
        grid.add_row(name, each.release_digest[:16], each.state, each.verdict, shown(mine), shown(each.detail))
    console.print(grid)


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
    _show(console, found, home)


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

    Without --digest you are asked to type the first 16 digits that `release review` showed. An own audit that fails
    keeps you from signing, unless --despite says why. Under a privacy budget nobody but you judges the release on your
    rows: without an own audit it cannot be signed, and what your rows are too few to show is told here.
    """
    from headwater_client.organisation import Organisation

    if digest is None:
        try:
            digest = typer.prompt("First 16 digits of the release's digest")
        except typer.Abort as error:
            raise InputError("nothing was signed; give --digest with the release's digest") from error
    with Organisation.open(home) as organisation:
        own = organisation.review_release(release).own
        decision = organisation.approve_release(release, digest, despite).decision
    if own is not None and own.unshown:
        typer.echo("Signed although your rows are too few to show, and nobody else can under the budget:")
        for line in own.unshown:
            typer.echo(f"  {shown(line)}")
    typer.echo(f"Signed release {decision.release_digest[:16]} of run {decision.run_id[:8]}.")


@_group.command(epilog='Example:  headwater-org release refuse adult --reason "our own audit fails" --home hospital')
def refuse(
    release: _Release,
    reason: Annotated[str, typer.Option(help="Why, for the operator and the other members.")],
    home: Home = Path("organisation"),
) -> None:
    """Refuse a release. It is not published unless a quorum of the others signs it."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        decision = organisation.refuse_release(release, reason).decision
    typer.echo(f"Refused release {decision.release_digest[:16]} of run {decision.run_id[:8]}.")


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
        found = organisation.waivers()
    console = Console(highlight=False)
    if not found:
        console.print("No waiver was prepared.")
        return
    for each in found:
        waiver = each.waiver
        signed = ", ".join(each.approvers) or "nobody"
        console.print(
            f"{waiver.digest[:16]}  {waiver.gate} may be {waiver.outcome} until {waiver.expires}, for table "
            f"{waiver.candidate[:16]}; signed by {shown(signed)}\n  {shown(waiver.reason)}",
            soft_wrap=True,
        )


@_group.command(epilog="Example:  headwater-org release waive 4be1c09a77d2e318 --home hospital")
def waive(
    waiver: Annotated[str, typer.Argument(metavar="WAIVER", help="First 16 digits or more of the waiver's digest.")],
    home: Home = Path("organisation"),
) -> None:
    """Sign a waiver: you answer, with one other organisation, for a gate that was not passed. It is on the card."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        signed = organisation.waive(waiver)
    typer.echo(f"Signed the waiver of {signed.waiver.gate}; signed by {', '.join(signed.approvers)}.")


def _show(console: Console, review: "ReleaseReview", home: Path) -> None:
    from headwater.release.decision_words import verdict_in_words
    from headwater.release.statement import headline
    from headwater_client.wording import digest_in_groups

    release, manifest = review.release, review.release.manifest
    console.print(f"[bold]{shown(manifest.title)}[/bold] ({manifest.name} version {manifest.version})")
    facts = Grid.grid(padding=(0, 2))
    facts.add_row("digest", digest_in_groups(release.digest))
    facts.add_row("rows", f"{manifest.rows:,} synthetic rows of {manifest.columns} columns")
    facts.add_row("run", f"{manifest.provenance.run_id} of plan {release.plan.name}, which you approved")
    facts.add_row("privacy", headline(manifest.protection.privacy))
    facts.add_row("gate", verdict_in_words(release.audit.decision))
    attempts = len(release.audit.attempts)
    facts.add_row("attempts", f"{attempts} to release this run, this one the last" if attempts > 1 else "the first")
    if review.attacked:
        facts.add_row("rows attacked", shown(review.attacked))
    facts.add_row("standing", shown(review.status.detail))
    facts.add_row("files", str(release.folder))
    console.print(facts)
    apart = release.plan.privacy != "none"
    title = "What the gate says without any row" if apart else "What all organisations' sums say"
    _show_gates(console, title, release.audit.decision)
    if review.rows_told:
        console.print(review.rows_told, style="yellow", soft_wrap=True, markup=False)
    if review.own is None:
        console.print("No audit by your own rows yet: give --data before you sign.", style="yellow")
    else:
        _show_own(console, review, home)
    if review.status.state == "waiting":
        console.print(
            f"To sign: headwater-org release approve {manifest.name}/{manifest.version} "
            f"--digest {release.digest[:16]}\n"
            f"Else:    headwater-org release refuse {manifest.name}/{manifest.version} --reason TEXT",
            soft_wrap=True,
        )


def _show_gates(console: Console, title: str, decision: "Decision") -> None:
    from headwater.release.decision_words import gate_lines

    grid = Grid("gate", "what it asks about", "outcome", "why", title=title)
    for line in gate_lines(decision):
        colour = _COLOURS[line.outcome.partition(",")[0]]
        grid.add_row(line.gate, line.title, f"[{colour}]{line.outcome}[/{colour}]", shown(line.why))
    console.print(grid)


def _show_own(console: Console, review: "ReleaseReview", home: Path) -> None:
    own = review.own
    if own is None:
        return
    grid = Grid("check", "value", "interval", "no leak", title="What your own rows say, for your eyes only")
    for measure in own.document.evidence.measures:
        if measure.value is None:
            grid.add_row(shown(measure.name), "–", "", shown(measure.reason), style="dim")
            continue
        ends = "" if measure.low is None or measure.high is None else f"{measure.low:.3f} … {measure.high:.3f}"
        null = "" if measure.null is None else f"{measure.null:.3f}"
        grid.add_row(shown(measure.name), f"{measure.value:.3f}", ends, null)
    console.print(grid)
    said = [f"{gate} {verdict}" for gate, verdict in own.verdicts.items() if verdict != "not applicable"]
    console.print(f"By your own rows: {', '.join(said) or 'nothing to say'}.", soft_wrap=True)
    if own.unshown:
        console.print("Your rows are too few to show, and under the budget nobody else can:", style="yellow")
        for line in own.unshown:
            console.print(f"  {shown(line)}", soft_wrap=True)
    if own.failing:
        console.print(
            f"[bold red]Your own audit FAILS {', '.join(own.failing)}: refuse, or ask the others what they "
            "found.[/bold red]",
            soft_wrap=True,
        )
    kept = home / "releases" / review.release.digest / "audit-internal.json"
    console.print(f"Every figure is in {kept}, which only you can read.", soft_wrap=True, markup=False)
