"""`headwater-org ledger`: what your records were charged by every run, verified, and on paper for others."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import HeadwaterError, InputError
from headwater.privacy.words import NOT_PRIVATE, rounded_up
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from headwater.agreement.ledger import Ledger
    from headwater_client.ledgers import DataSetTotal, LedgerReview, VerifiedLedger
    from headwater_client.release_check import ReleaseCheck

__all__ = ["print_totals", "register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What every run cost each of your records; show, verify and export the ledger, check a release by it.",
    epilog="Example:  headwater-org ledger show --home hospital",
)

_Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]


def register(app: typer.Typer) -> None:
    """Mount `ledger`."""
    app.add_typer(_group, name="ledger")


@_group.command(epilog="Example:  headwater-org ledger show --home hospital")
def show(home: Home = Path("organisation"), as_json: _Json = False) -> None:
    """Show what each run was charged, what all of them come to, and what is left of your own limit.

    Every round is charged before anything is computed for it, and stays charged whatever became of it. ε is told at the
    δ of policy.toml, which may differ from a plan's. The chain is verified first; a damaged ledger is not shown.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        review = organisation.ledger.review()
    if as_json:
        typer.echo(json.dumps(asdict(review)))
        return
    _show(Console(highlight=False), review)


@_group.command(epilog="Example:  headwater-org ledger verify --home hospital")
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An exported ledger, instead of this organisation's own.")
    ] = None,
    home: Home = Path("organisation"),
    as_json: _Json = False,
) -> None:
    """Verify the ledger offline, from its first entry to its last; exit status 1 and one line if anything is off.

    Verified are the chain, that it is no shorter than it was, and each receipt held here: every round that took your
    vector stands in the ledger, with the Task and the charge that the coordinator signed. Of an exported file, the
    chain and the member's signature; compare the key that is printed with the charter.
    """
    from headwater_client.ledgers import read_ledger_file, review_of
    from headwater_client.organisation import Organisation

    console = Console(highlight=False)
    try:
        if file is not None:
            ledger = read_ledger_file(file).ledger
            review = review_of(ledger.entries, ledger.delta)
            facts, lines = _of_file(ledger)
        else:
            with Organisation.open(home) as organisation:
                verified = organisation.ledger.verify()
            review = verified.review
            facts, lines = _of_receipts(verified)
    except HeadwaterError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "problem": str(error)}))
        raise
    if as_json:
        typer.echo(json.dumps({"ok": True} | facts | asdict(review)))
        return
    console.print(f"[green]the ledger holds[/green]: {_entries(review.entries)}, in one chain", soft_wrap=True)
    for line in (*lines, *([f"head {review.head}"] if review.head else [])):
        console.print(shown(line), soft_wrap=True)
    print_totals(console, review)


def _of_file(ledger: "Ledger") -> tuple[dict[str, object], list[str]]:
    """Whose word a file is, for programs and for people."""
    from headwater.agreement.signing import fingerprint

    return (
        {"member": ledger.member, "identity_key": ledger.identity_key},
        [f"signed by {ledger.member}: compare this key with the charter", f"  {fingerprint(ledger.identity_key)}"],
    )


def _of_receipts(verified: "VerifiedLedger") -> tuple[dict[str, object], list[str]]:
    """What the own ledger was compared with, for programs and for people."""
    lines = [f"{verified.receipts} rounds took a vector of yours, each charged as the coordinator signed"]
    lines += [f"run {run} began before there was a ledger: NOT DIFFERENTIALLY PRIVATE" for run in verified.before]
    return {"receipts": verified.receipts, "runs_before_ledger": list(verified.before)}, lines


@_group.command(epilog="Example:  headwater-org ledger export --out ledger.json --home hospital")
def export(
    out: Annotated[Path | None, typer.Option(help="The file to write; it must not be there yet.")] = None,
    home: Home = Path("organisation"),
) -> None:
    """Write the ledger, signed by your key, to a file or to standard output, for whoever wants to add it up again.

    It holds runs, digests, charges and times; no row, no vector, no secret. `headwater-org ledger verify FILE` checks
    it anywhere.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        signed = organisation.ledger.export()
    if out is None:
        typer.echo(signed.to_bytes().decode())
        return
    try:
        with out.open("xb") as target:
            target.write(signed.to_bytes())
    except FileExistsError as error:
        raise InputError(f"{out} is there already; give another --out") from error
    typer.echo(f"wrote {_entries(len(signed.ledger.entries))} to {out}")


@_group.command(epilog="Example:  headwater-org ledger check visits --home hospital")
def check(
    release: Annotated[Path, typer.Argument(help="A downloaded release: its folder.")],
    home: Home = Path("organisation"),
    as_json: _Json = False,
) -> None:
    """Hold a published release against your own ledger; exit status 1 and a line for each thing that is off.

    The release is verified first, under the charter in force here. Then each round that it counts must stand in your
    ledger, under its plan and at its cost, and nothing else may have been charged under its run: a release that leaves
    a round out states a smaller ε than was spent, and nobody but an organisation can see that.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        checked = organisation.ledger.check(release)
    if as_json:
        typer.echo(json.dumps({"ok": not checked.findings} | asdict(checked)))
    else:
        for finding in checked.findings:
            typer.echo(f"run {checked.run_id[:8]}: {finding}", err=True)
        if not checked.findings:
            typer.echo(_agreed(checked))
    if checked.findings:
        raise typer.Exit(1)


def _agreed(checked: "ReleaseCheck") -> str:
    if not checked.rounds:
        return f"run {checked.run_id[:8]} is {NOT_PRIVATE}, as the ledger says of {_entries(checked.charged)}"
    apart = f"; no vector of yours is in {len(checked.apart)} of them" if checked.apart else ""
    return (
        f"release and ledger agree on run {checked.run_id[:8]}: {checked.rounds} rounds, each charged as the release "
        f"counts it, and nothing else{apart}"
    )


def _show(console: Console, review: "LedgerReview") -> None:
    if not review.runs:
        console.print("Nothing was charged yet.")
        return
    grid = Grid("run", "plan", "data set", "since", "rounds", f"ε at δ = {review.delta:g}")
    for run in review.runs:
        plan = f"{shown(run.plan_name)} {run.plan[:8]}".strip()
        unbounded = f"[bold red]{NOT_PRIVATE}[/bold red]"
        cost = unbounded if run.epsilon is None else f"{rounded_up(run.epsilon):g}"
        if run.non_private and run.epsilon is not None:
            cost = f"{cost}, and {run.non_private} of them {unbounded}"
        grid.add_row(run.run_id[:8], plan, run.data_set, run.begun[:10], str(run.rounds), cost)
    for column in grid.columns:
        column.overflow = "fold"
    console.print(grid)
    print_totals(console, review)


def print_totals(console: Console, review: "LedgerReview") -> None:
    """What data sets were charged in all, what is left of the limit, and whom that leaves out: a line each."""
    for total in review.totals:
        for line in _total_in_words(total, review):
            console.print(line, soft_wrap=True)


def _total_in_words(total: "DataSetTotal", review: "LedgerReview") -> list[str]:
    """What data sets were charged in all, what is left of the limit, and whom that leaves out: a sentence each."""
    first, *others = total.data_sets
    charged = f"Your data sets {', '.join(total.data_sets)} together" if others else f"Your data set “{first}”"
    whom = "one record" if total.records <= 1 else f"a person with at most {total.records} records"
    each = "one record" if total.records <= 1 else f"{total.records} records"
    lines = []
    if total.records:
        lines.append(
            f"{charged}: ε = {rounded_up(total.epsilon):g} at δ = {review.delta:g} for {whom} here, "
            f"added or removed, over all runs together; {_limit_in_words(total, review)}."
        )
    if total.records == 1:
        lines.append("One record, not one person: who has k records here has k times this or more.")
    if total.records and total.organisations > 1:
        lines.append(
            f"The charter does not say that nobody is at two members: somebody with {each} at each of the "
            f"{total.organisations} members has ε = {rounded_up(total.epsilon_everywhere):g}."
        )
    if total.non_private:
        were = "1 round was" if total.non_private == 1 else f"{total.non_private} rounds were"
        lines.append(
            f"{charged}: {were} NOT DIFFERENTIALLY PRIVATE; no ε bounds what that gave away, and no limit counts it."
        )
    return lines


def _limit_in_words(total: "DataSetTotal", review: "LedgerReview") -> str:
    if review.limit is None:
        return "no limit of your own is set (maximum_epsilon in policy.toml)"
    left = review.limit - total.epsilon
    return f"your limit is {review.limit:g}, " + (
        "which is passed" if left < 0 else f"of which {rounded_up(left):g} is left"
    )


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
