"""`run start|status|stop|list`: runs, through the database that `serve` watches."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater_server.cli.options import HomeOption, open_home, open_storage, resolve_run

if TYPE_CHECKING:
    from headwater_server.settings import CoordinatorHome
    from headwater_server.storage import SqlStorage

__all__ = ["register"]

_group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Start, watch and stop runs.",
    epilog="Example:  headwater-coordinator run status 3f0c --follow",
)
_POLL_SECONDS = 0.5

Run = Annotated[str, typer.Argument(help="The run's id, or its first digits.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show rounds and health until the run is over.")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(_group, name="run")


@_group.command(epilog="Example:  headwater-coordinator run start 3f0c --follow")
def start(run: Run, follow: Follow = False, home: HomeOption = Path("coordinator")) -> None:
    """Start a run that enough organisations approved; the coordinator must be serving."""
    from headwater.errors import OutOfOrder
    from headwater_server.lock import require_serving
    from headwater_server.runs.charters import agreed
    from headwater_server.runs.quorum import approved_members
    from headwater_server.storage import RunState

    place = open_home(home)
    storage = open_storage(place)
    run_id = resolve_run(storage, run)
    proposal, charter = agreed(storage, run_id)
    members = approved_members(storage, proposal, charter)
    require_serving(place)
    if storage.run_state(run_id) is not RunState.PROPOSED:
        raise OutOfOrder(f"run {run_id} is {storage.run_state(run_id)}; only a proposed run can be started")
    storage.move_run(run_id, RunState.STARTING)
    typer.echo(f"run {run_id} starts with {', '.join(members)}")
    if follow:
        _follow(place, storage, run_id)


@_group.command(epilog="Example:  headwater-coordinator run status 3f0c --follow")
def status(
    run: Annotated[str, typer.Argument(help="The run's id, or its first digits; the newest where left out.")] = "",
    follow: Follow = False,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Show where a run is: decisions, rounds, health, and why it ended if it did."""
    from rich.console import Console
    from rich.markup import escape

    from headwater_server.cli.watching import Lines, finished_in_words
    from headwater_server.releasing.canaries import unopened_by, unopened_in_words

    place = open_home(home)
    storage = open_storage(place)
    run_id = resolve_run(storage, run) if run else _newest(storage)
    record = storage.run(run_id)
    if record is None:
        return
    console = Console()
    console.print(
        f"run {record.run_id}: [bold]{storage.run_state(run_id)}[/bold] {escape(record.detail)}", soft_wrap=True
    )
    console.print(f"plan {record.plan_name} {record.plan_digest[:12]}, proposed {record.created}")
    for member, decision in sorted(record.decisions.items()):
        console.print(f"  {member}: {decision}")
    console.print(f"{record.rounds_done} sums done, at most {record.rounds_planned} planned")
    if spent := _spent(place, storage, run_id):
        console.print(f"privacy: {spent}", soft_wrap=True, highlight=False)
    if follow:
        _follow(place, storage, run_id)
        return
    lines = Lines(every_round=False)
    for _, entry in storage.progress(run_id):
        for line in lines.of(entry):
            console.print(line, soft_wrap=True)
    for line in lines.rest():
        console.print(line, soft_wrap=True)
    if released := finished_in_words(storage.result(run_id)):
        console.print(f"generator: {escape(released)}", soft_wrap=True, highlight=False)
    if unopened := unopened_by(storage, run_id):
        console.print(unopened_in_words(unopened), style="yellow", soft_wrap=True, markup=False, highlight=False)


@_group.command(epilog="Example:  headwater-coordinator run stop 3f0c")
def stop(run: Run, home: HomeOption = Path("coordinator")) -> None:
    """Stop a run; what was summed stays, nothing can be released from it."""
    from headwater.errors import OutOfOrder
    from headwater_server.lock import is_serving
    from headwater_server.storage import RunState

    place = open_home(home)
    storage = open_storage(place)
    run_id = resolve_run(storage, run)
    state = storage.run_state(run_id)
    if state.over:
        raise OutOfOrder(f"run {run_id} is {state} already; there is nothing to stop")
    if state is RunState.PROPOSED or not is_serving(place):
        storage.move_run(run_id, RunState.STOPPED, "stopped by the operator")
        typer.echo(f"run {run_id} is stopped")
        return
    storage.move_run(run_id, RunState.STOPPING, "the operator stops it")
    while not (state := storage.run_state(run_id)).over:
        if not is_serving(place):
            raise OutOfOrder(f"the coordinator ended while it stopped run {run_id}; run stop it again")
        time.sleep(_POLL_SECONDS)
    typer.echo(f"run {run_id} is {state}")


@_group.command("list", epilog="Example:  headwater-coordinator run list")
def show_all(home: HomeOption = Path("coordinator")) -> None:
    """List all runs, oldest first."""
    storage = open_storage(open_home(home))
    records = storage.runs()
    if not records:
        typer.echo("no run has been proposed; headwater-coordinator plan propose makes one")
        return
    # No table: a run's id is typed elsewhere, and a narrow one would cut it.
    for record in records:
        approved = sum(decision == "approve" for decision in record.decisions.values())
        typer.echo(
            f"{record.run_id}  {storage.run_state(record.run_id)}; plan {record.plan_name}; {record.rounds_done} sums; "
            f"approved by {approved}; proposed {record.created}"
        )


def _newest(storage: "SqlStorage") -> str:
    from headwater.errors import OutOfOrder

    records = storage.runs()
    if not records:
        raise OutOfOrder("no run has been proposed; headwater-coordinator plan propose makes one")
    return records[-1].run_id


def _spent(place: "CoordinatorHome", storage: "SqlStorage", run_id: str) -> str:
    """What a run spent of its budget so far, aborted rounds included; "" where there is nothing to say."""
    from headwater_server.runs.budget import RunBudget
    from headwater_server.runs.replay import RunJournal
    from headwater_server.storage import BlobStore

    signed = storage.proposal(run_id)
    if signed is None:
        return ""
    return RunBudget(signed.proposal.plan, RunJournal(storage, BlobStore(place.blobs), run_id)).spent_in_words


def _follow(place: "CoordinatorHome", storage: "SqlStorage", run_id: str) -> None:
    from rich.console import Console

    from headwater_server.cli.watching import follow
    from headwater_server.lock import is_serving

    follow(storage, run_id, Console(), lambda: is_serving(place))
