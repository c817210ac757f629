"""`release`, `releases`: put a finished run before the gate, and see what became of it."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headwater_server.cli.options import EngineChoice, GeneratorChoice, HomeOption, open_home, open_storage, resolve_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from headwater.agreement.generator_terms import GeneratorTerms
    from headwater_server.releasing.extras import ExtrasRequest
    from headwater_server.releasing.gate import GateOutcome, WaiverRequest
    from headwater_server.services.ports import ReleaseRecord
    from headwater_server.storage import SqlStorage

__all__ = ["register"]

_FAILED, _INCONCLUSIVE = 1, 3
_SHORTEST_REASON = 10
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red", "inconclusive": "magenta", "not applicable": "dim"}


_Waive = Annotated[
    list[str] | None,
    typer.Option(
        help="Gate that two organisations shall answer for, such as G4; may be repeated. inconclusive: every such "
        "gate that may be waived. Needs --reason and --expires."
    ),
]
_Reason = Annotated[str, typer.Option(help="Why a gate is to be waived; it stands on the card.")]
_Expires = Annotated[str, typer.Option(help="Last day of the waivers, such as 2027-06-30.")]
_Generator = Annotated[
    GeneratorChoice | None,
    typer.Option(
        help="What readers may have of the generator, no more than plan and policy allow: kept, nothing; "
        "on-request, rows that you sample for them; released, its weights in generator/. By default the plan's."
    ),
]
_Balanced = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Add balanced/data.parquet, where values of this column have equal, or given, shares; as in sample.",
    ),
]
_Views = Annotated[
    int, typer.Option(help="Add views/data.parquet, with so many rows in each group; 1 adds none.", min=1)
]
_ViewStd = Annotated[float, typer.Option(help="How far a view lies from its group's first row.", min=0)]
_ConfigurationRows = Annotated[
    int | None, typer.Option(help="Rows of each of these; by default as many as the release has.", min=1)
]
_LargeRows = Annotated[
    int,
    typer.Option(help="Add large/ with so many rows in several files, for very large datasets; 0: none.", min=0),
]
_Engine = Annotated[
    EngineChoice,
    typer.Option(help="What draws large/: local, one file after the other; ray, several at once. Equal rows."),
]
_Workers = Annotated[int, typer.Option(help="Processes of --engine ray.", min=1, max=1024)]
_ShardRows = Annotated[
    int, typer.Option(help="Rows of each file of large/, rounded up to whole blocks.", min=1, max=2**24)
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(
        epilog="Example:  headwater-coordinator release 3f0c --name adult --title 'Adult incomes' --licence CC-BY-4.0"
    )(release)
    app.command(epilog="Example:  headwater-coordinator releases adult/2")(releases)


def release(
    run: Annotated[str, typer.Argument(help="A finished run's id, or its first digits.")],
    name: Annotated[str, typer.Option(help="The dataset's name; the same name again makes the next version.")],
    title: Annotated[str, typer.Option(help="A title for people.")] = "",
    description: Annotated[str, typer.Option(help="What the rows are about.")] = "",
    licence: Annotated[str, typer.Option(help="The consortium's terms, in a few words; the gate asks for them.")] = "",
    schema_from_rows: Annotated[
        bool, typer.Option("--schema-from-rows", help="Say that a program read bounds and categories from the rows.")
    ] = False,
    waive: _Waive = None,
    reason: _Reason = "",
    expires: _Expires = "",
    generator: _Generator = None,
    balanced: _Balanced = None,
    views: _Views = 1,
    view_std: _ViewStd = 0.2,
    configuration_rows: _ConfigurationRows = None,
    large_rows: _LargeRows = 0,
    engine: _Engine = EngineChoice.LOCAL,
    workers: _Workers = 2,
    shard_rows: _ShardRows = 1_048_576,
    home: HomeOption = Path("coordinator"),
) -> None:
    """Put a finished run's audited rows before the gate of its plan's policy; what passes waits for signatures.

    Every attempt is logged, whatever comes of it, and published with the release: there is no trying in secret.
    Nothing that fails or is inconclusive is prepared: exit status 1 or 3. What passes waits beside the catalogue until
    as many organisations as the charter says have reviewed and signed it (headwater-org release); then `serve`
    publishes it, and it never changes.

    Of a run under a privacy budget more may be given than the rows, where its plan says so (release.generator) and the
    policy lets it: the generator's weights, balanced rows, views, very many rows (drawn after the gate, in bounded
    memory; a command that was cut off goes on with the files that are there). Without a budget nobody attacked more
    than the rows, and nothing else leaves.

    With --waive the gates named are put to the organisations: when two have signed (headwater-org release waive), run
    the command again.
    """
    import datetime

    from rich.console import Console

    from headwater.release.decision_words import verdict_in_words
    from headwater.release.verdict import publishable
    from headwater_server.release import ReleaseRequest, checked_name
    from headwater_server.releasing.gate import put_to_gate
    from headwater_server.releasing.preparing import prepare_release
    from headwater_server.sampling.source import result_of

    console = Console(highlight=False)
    wanted = _waiver_request(waive or [], reason, expires)
    checked_name(name)
    place = open_home(home)
    storage = open_storage(place)
    run_id = resolve_run(storage, run)
    key = place.charter_key()
    extras = _extras(
        storage,
        run_id,
        generator,
        balanced or [],
        views=views,
        view_std=view_std,
        rows=configuration_rows,
        large_rows=large_rows,
        shard_rows=shard_rows,
        engine="ray" if engine is EngineChoice.RAY else "local",
        workers=workers,
    )
    with console.status("self-test of the audit, then the gate"):
        outcome = put_to_gate(
            place, storage, run_id, name, licence_stated=bool(licence), schema_from_rows=schema_from_rows
        )
    _show_decision(console, outcome)
    said = verdict_in_words(outcome.decision)
    if not publishable(outcome.decision.verdict):
        typer.echo(f"{said}. Nothing was released.")
        if wanted is not None:
            _prepare_waivers(storage, outcome, wanted)
        raise typer.Exit(_FAILED if outcome.decision.verdict == "fail" else _INCONCLUSIVE)
    with _drawing(console, large_rows) as on_rows:
        record = prepare_release(
            place,
            storage,
            outcome,
            ReleaseRequest(name, title, description, licence),
            result_of(storage, run_id),
            key,
            datetime.datetime.now(datetime.UTC),
            schema_from_rows=schema_from_rows,
            extras=extras,
            on_rows=on_rows,
        )
    typer.echo(f"{said}.")
    _tell_waiting(console, storage, outcome, record, extras.generator or outcome.plan.release.generator)


def _tell_waiting(
    console: "Console", storage: "SqlStorage", outcome: "GateOutcome", record: "ReleaseRecord", terms: "GeneratorTerms"
) -> None:
    """Say what the release that waits protects, what it gives, and who has to act next."""
    from headwater.agreement.generator_terms import generator_in_words
    from headwater.release.statement import headline

    style = "bold red" if outcome.privacy == "none" else "bold green"
    claimed = f"[{style}]{headline(outcome.privacy)}[/{style}] {outcome.plan.aggregation.protection}"
    console.print(claimed, soft_wrap=True)
    if terms != "kept":
        console.print(f"The generator is {terms}: {generator_in_words(terms)}.", soft_wrap=True)
    typer.echo(f"{record.name} version {record.version}: {_standing(storage, record)}")
    typer.echo(f"Next: every organisation runs headwater-org release review {record.name}/{record.version} --data ROWS")
    typer.echo(f"release {record.release_digest}")


@contextlib.contextmanager
def _drawing(console: "Console", rows: int) -> "Iterator[Callable[[int], None]]":
    """Show how far very many rows are; nothing where there are none."""
    if not rows:
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("drawing", total=rows)
        yield lambda done: progress.update(task, completed=done)


def _extras(
    storage: "SqlStorage",
    run_id: str,
    generator: GeneratorChoice | None,
    balanced: list[str],
    **options: Any,
) -> "ExtrasRequest":
    """What is asked for beside the rows; refused before an attempt is logged where it cannot be given."""
    from headwater.generator.balancing import read_shares
    from headwater.release.policy import load_policy
    from headwater_server.releasing.extras import ExtrasRequest, agreed_terms
    from headwater_server.runs.charters import agreed

    plan = agreed(storage, run_id)[0].proposal.plan
    request = ExtrasRequest(
        generator=None if generator is None else generator.terms,
        balanced=read_shares(plan.schema_, balanced),
        **options,
    )
    # A plan without an audit is refused by the gate, in its own words.
    if plan.audit != "none":
        agreed_terms(request, plan, load_policy(plan.audit.policy))
    return request


def releases(
    release: Annotated[
        str, typer.Argument(metavar="[RELEASE]", help="NAME, NAME/VERSION or a digest's first digits; all without one.")
    ] = "",
    home: HomeOption = Path("coordinator"),
) -> None:
    """List releases that wait, are published or were refused; of one, who signed, who refused and why, and attempts."""
    from rich.console import Console

    from headwater.errors import InputError
    from headwater_server.releasing.withdrawing import withdrawal_of

    place = open_home(home)
    storage = open_storage(place)
    name, _, version = release.partition("/")
    found = [
        record
        for record in storage.releases()
        if not release
        or (record.name == name and version in ("", str(record.version)))
        or record.release_digest.startswith(release)
    ]
    if release and not found:
        raise InputError(f"no release is named or begins {release!r}; leave it out to see all")
    console = Console(highlight=False)
    if not found:
        console.print("No run was put up for release with success; `release` makes the attempt.")
    # No table: name, digest and run are typed elsewhere, and a narrow one would cut them.
    for record in found:
        console.print(
            f"{record.name}/{record.version}  {record.release_digest[:16]}  {record.state.value}; {record.verdict}; "
            f"run {record.run_id[:8]}; made {record.created}\n"
            f"{record.name}/{record.version}: {_standing(storage, record)}",
            soft_wrap=True,
            markup=False,
        )
        if said := withdrawal_of(place, record.name, record.version):
            taken = f"{record.name}/{record.version}: withdrawn {said.withdrawn}: {said.reason}"
            console.print(taken, style="bold red", soft_wrap=True, markup=False)
        if release:
            _show_record(console, storage, record)
    _show_unopened(console, storage, {record.run_id for record in found} if release else None)


def _show_decision(console: "Console", outcome: "GateOutcome") -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from headwater.release.decision_words import UNPROVEN, gate_lines
    from headwater_server.releasing.canaries import unopened_in_words

    decision = outcome.decision
    title = f"Gate of policy {decision.policy.name}, version {decision.policy.version}"
    grid = Table(Column("gate", no_wrap=True), "what it asks about", "outcome", "why", title=title)
    for line in gate_lines(decision):
        colour = "yellow" if line.outcome == UNPROVEN else _COLOURS[line.outcome.partition(",")[0]]
        grid.add_row(line.gate, line.title, f"[{colour}]{line.outcome}[/{colour}]", escape(line.why))
    console.print(grid)
    for problem in (*decision.refused_waivers, *outcome.elsewhere):
        console.print(f"no waiver: {problem}", style="yellow", soft_wrap=True, markup=False)
    if outcome.unopened:
        console.print(unopened_in_words(outcome.unopened), style="yellow", soft_wrap=True, markup=False)
    attempt = outcome.attempts[-1]
    said = f"Attempt {attempt.number} at plan {outcome.plan.name}, all its runs counted"
    console.print(f"{said}: run {outcome.run_id[:8]}. It stays on record.", soft_wrap=True, markup=False)


def _prepare_waivers(storage: "SqlStorage", outcome: "GateOutcome", wanted: "WaiverRequest") -> None:
    from headwater_server.releasing.gate import not_to_be_mended, prepare_waivers

    prepared = prepare_waivers(storage, outcome, wanted)
    if beyond := not_to_be_mended(outcome, wanted):
        typer.echo(f"No waiver was prepared: {', '.join(beyond)} failed, which waiving other gates does not mend.")
        return
    if not prepared:
        typer.echo("No waiver was prepared: no gate that stops this release may be waived.")
        return
    for waiver in prepared:
        typer.echo(f"waiver of {waiver.gate} {waiver.digest}")
    typer.echo("Next: two organisations run headwater-org release waive WAIVER for each; then run this command again.")


def _waiver_request(gates: list[str], reason: str, expires: str) -> "WaiverRequest | None":
    """What was asked to be waived; None for nothing."""
    import datetime

    from headwater.errors import InputError
    from headwater_server.releasing.gate import WaiverRequest

    if not gates:
        if reason or expires:
            raise InputError("--reason and --expires belong to --waive; name the gate, such as --waive G4")
        return None
    if len(reason.strip()) < _SHORTEST_REASON:
        raise InputError("a waiver says why on the card; give --reason with a sentence")
    try:
        day = datetime.date.fromisoformat(expires)
    except ValueError as error:
        raise InputError(f"--expires is {expires!r}, expected the waivers' last day, such as 2027-06-30") from error
    if day < datetime.datetime.now(datetime.UTC).date():
        raise InputError(f"--expires {expires} is over; give a day to come")
    return WaiverRequest(tuple(dict.fromkeys(gates)), reason.strip(), f"{day.isoformat()}T23:59:59Z")


def _standing(storage: "SqlStorage", record: "ReleaseRecord") -> str:
    from headwater.agreement.release_decision import tally_release
    from headwater.errors import StorageError

    charter = storage.charter_by_digest(record.charter_digest)
    if charter is None:
        raise StorageError(f"the charter of {record.name} version {record.version} is gone; restore it")
    return tally_release(charter.charter, [signed.decision for signed in record.decisions]).in_words


def _show_unopened(console: "Console", storage: "SqlStorage", runs: set[str] | None) -> None:
    """Name who keeps canaries of finished runs closed; of all runs for None."""
    from headwater_server.releasing.canaries import unopened_by, unopened_in_words

    for record in storage.runs():
        if (runs is None or record.run_id in runs) and (unopened := unopened_by(storage, record.run_id)):
            said = f"run {record.run_id[:8]}: {unopened_in_words(unopened)}"
            console.print(said, style="yellow", soft_wrap=True, markup=False)


def _show_record(console: "Console", storage: "SqlStorage", record: "ReleaseRecord") -> None:
    from headwater.release.attempts import Attempt

    for signed in record.decisions:
        said = signed.decision
        own = ", ".join(f"{gate} {verdict}" for gate, verdict in said.verdicts.items() if verdict != "not applicable")
        told = [*([f"own audit: {own}"] if own else []), *([said.reason] if said.reason else [])]
        after = f" ({'; '.join(told)})" if told else ""
        line = f"  {said.created}  {said.member}: {said.decision}{after}"
        console.print(line, soft_wrap=True, markup=False)
    for document in storage.attempts(record.run_id):
        attempt = Attempt.from_bytes(document)
        stopped = f", stopped by {', '.join(attempt.failing)}" if attempt.failing else ""
        came = f"{attempt.verdict}{stopped}"
        console.print(
            f"  attempt {attempt.number}, {attempt.when}, run {attempt.run[:8]}: {came}", soft_wrap=True, markup=False
        )
