"""`headwater-org receipts`: what was summed with your rows, verified without the coordinator."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from headwater.errors import HeadwaterError, InputError
from headwater_client.cli.options import Home
from headwater_client.cli.text import shown

if TYPE_CHECKING:
    from headwater.agreement.receipt_check import CheckedReceipts, CheckedRound

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look at the signed receipts of your runs; export and verify them offline.",
    epilog="Example:  headwater-org receipts verify 4be1c09a --home hospital",
)

_Run = Annotated[str, typer.Argument(metavar="RUN", help="Run id, or its first digits (see `receipts list`).")]
_LEAST_DIGITS = 16
"""Fewer digits of a digest can be met by search."""

_Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]


def register(app: typer.Typer) -> None:
    """Mount `receipts`."""
    app.add_typer(_group, name="receipts")


@_group.command("list", epilog="Example:  headwater-org receipts list --home hospital")
def list_receipts(home: Home = Path("organisation"), as_json: _Json = False) -> None:
    """List the runs of which this organisation holds receipts, oldest first. Nothing is verified by listing."""
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        held = organisation.receipts.held()
    if as_json:
        typer.echo(
            json.dumps([{"run": each.run_id, "plan": each.plan_name, "documents": each.documents} for each in held])
        )
        return
    if not held:
        typer.echo("No receipt is held yet.")
        return
    grid = Grid("run", "plan", "receipts and aborts")
    for each in held:
        grid.add_row(each.run_id, shown(each.plan_name), str(each.documents))
    grid.columns[0].no_wrap = True
    Console(highlight=False).print(grid)


@_group.command(epilog="Example:  headwater-org receipts show 4be1c09a --home hospital")
def show(run: _Run, home: Home = Path("organisation"), as_json: _Json = False) -> None:
    """Show every round of a run: whose vectors were summed with yours, who confirmed it, what it was charged.

    The chain is verified first; a damaged one is not shown but refused, with what is off in it.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        checked = organisation.receipts.verify(run)
    if as_json:
        typer.echo(json.dumps(_as_json(checked)))
        return
    grid = Grid("round", "ended in", "organisations", "yours", "confirmed by", "charge")
    for each in checked.rounds:
        grid.add_row(*_row(each))
    Console(highlight=False).print(grid)


@_group.command(epilog="Example:  headwater-org receipts export 4be1c09a --out receipts.json --home hospital")
def export(
    run: _Run,
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    home: Home = Path("organisation"),
) -> None:
    """Write a run's receipts, with charter and plan, to a file that an auditor can verify anywhere.

    It holds signatures, digests, member ids and the plan; no row, no vector, no key.
    """
    from headwater_client.organisation import Organisation

    with Organisation.open(home) as organisation:
        file = organisation.receipts.export(run, out)
    typer.echo(f"wrote {len(file.documents)} documents of run {file.run_id} to {out}")


@_group.command(epilog="Example:  headwater-org receipts verify 4be1c09a --home hospital")
def verify(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Run id, or its first digits.")] = "",
    home: Home = Path("organisation"),
    file: Annotated[Path | None, typer.Option(help="An exported file, instead of this organisation's records.")] = None,
    charter: Annotated[
        str, typer.Option(help="Digest that the run's charter must have; at least its first 16 digits.")
    ] = "",
    head: Annotated[
        str, typer.Option(help="Digest of the last document, as another member reads it; at least 16 digits.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """Verify a run's receipts offline, from the first to the last; exit status 1 and one line if anything is off.

    Verified are the chain, the coordinator's signature on each document, the members' Confirms by the keys of their
    sessions, that your own vector is where it should be, every charge against the plan, and that charter, plan and run
    are the ones that you agreed to. An exported file carries its own charter: compare the digest that is printed, or
    give it with --charter. Documents cut off at the end show when you compare heads: --head.
    """
    try:
        checked = _verified(run, home, file)
        charter_compared = _compare("charter", checked.charter.digest, "--charter", charter)
        head_compared = _compare("last document", checked.head, "--head", head)
    except HeadwaterError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "problem": str(error)}))
        raise
    if as_json:
        compared = {"charter_compared": charter_compared or file is None, "head_compared": head_compared}
        typer.echo(json.dumps({"ok": True} | compared | _as_json(checked)))
        return
    _show_verified(checked, charter_compared, head_compared, file)


def _show_verified(checked: "CheckedReceipts", charter_compared: bool, head_compared: bool, file: Path | None) -> None:
    sums, own = sum(each.summed for each in checked.rounds), sum(each.summed and each.own for each in checked.rounds)
    unknown = sum(each.summed and not each.session_known for each in checked.rounds)
    console = Console(highlight=False)
    console.print(
        f"[green]run {checked.run_id} holds[/green]: {sums} sums, {len(checked.rounds) - sums} aborts, in one chain; "
        f"{checked.member}'s vector is in {own}",
        soft_wrap=True,
    )
    if file is not None:
        console.print(f"the file says that it was exported by {checked.member}", soft_wrap=True)
    if unknown:
        console.print(
            f"{unknown} sums are of sessions without {checked.member}: their Confirms cannot be verified here, only "
            "the coordinator's signature",
            soft_wrap=True,
        )
    console.print(f"plan    {shown(checked.plan.name)} {checked.plan.digest}", soft_wrap=True)
    console.print(f"charter version {checked.charter.version} {checked.charter.digest}", soft_wrap=True)
    # The records of an organisation stand under the charter that its people compared; a file brings its own.
    if file is not None and not charter_compared:
        console.print("charter not compared: read this digest to a member, or give --charter", soft_wrap=True)
    console.print(f"head    {checked.head}", soft_wrap=True)
    if not head_compared:
        console.print("head not compared: read this digest to another member, or give --head", soft_wrap=True)


def _verified(run: str, home: Path, file: Path | None) -> "CheckedReceipts":
    from headwater_client.organisation import Organisation
    from headwater_client.receipts import verify_file

    if not run and file is None:
        raise InputError("nothing to verify is named; give a run (headwater-org receipts list shows them) or --file")
    if run and file is not None:
        raise InputError("give either a run of this organisation or --file, and not both")
    if file is not None:
        return verify_file(file)
    with Organisation.open(home) as organisation:
        return organisation.receipts.verify(run)


def _compare(what: str, actual: str, option: str, given: str) -> bool:
    """Whether a digest was given to compare with; one that is too short or differs is refused."""
    digits = "".join(given.split()).lower()
    if digits and len(digits) < _LEAST_DIGITS:
        raise InputError(f"{option} {digits} is too short to compare; give at least {_LEAST_DIGITS} digits")
    if not actual.startswith(digits):
        raise InputError(f"the {what} has digest {actual}, which differs from {digits}; find out who holds which")
    return bool(digits)


def _charge_in_words(charge: str) -> str:
    """The mechanism, then whatever else the ledger is charged, in the order of the document."""
    entries = json.loads(charge) if charge else {}
    mechanism = str(entries.pop("mechanism", ""))
    return ", ".join(part for part in (mechanism, *(f"{name} {value}" for name, value in entries.items())) if part)


def _row(each: "CheckedRound") -> tuple[str, ...]:
    charge = shown(_charge_in_words(each.charge))
    ended = "sum" if each.summed else f"abort: {shown(each.reason)}"
    confirmed = ", ".join(each.confirmed_by) + ("" if each.session_known or not each.summed else " (not verified)")
    return str(each.number), ended, ", ".join(each.members), "yes" if each.own else "no", confirmed, charge


def _as_json(checked: "CheckedReceipts") -> dict[str, object]:
    return {
        "run": checked.run_id,
        "member": checked.member,
        "plan": checked.plan.digest,
        "charter_version": checked.charter.version,
        "charter": checked.charter.digest,
        "head": checked.head,
        "rounds": [
            {
                "round": each.number,
                "ended": "sum" if each.summed else "abort",
                "members": list(each.members),
                "own": each.own,
                "confirmed_by": list(each.confirmed_by),
                "confirms_verified": each.session_known and each.summed,
                "charge": json.loads(each.charge) if each.charge else None,
                "reason": each.reason,
                "document": each.digest,
            }
            for each in checked.rounds
        ],
    }
