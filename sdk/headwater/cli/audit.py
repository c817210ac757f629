"""`headwater audit`: attack a synthetic table on plain files, whatever made it."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.wording import plain, printable
from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.audit.running import Progress
    from headwater.cli.audit_files import AuditFiles
    from headwater.cli.auditing import Outcome
    from headwater.evidence.settings import AuditSettings

__all__ = ["register"]

_EPILOG = (
    "Example:  headwater audit --train train.csv --holdout holdout.csv --synthetic synthetic.csv --schema schema.toml "
    "--group sex --secret occupation --task income --html report.html"
)
_QUICK_ATTACKS, _QUICK_TARGETS = 300, 3000
_COLOURS = {
    "pass": "green",
    "pass, unproven": "magenta",
    "pass with warnings": "yellow",
    "warn": "yellow",
    "fail": "red",
    "inconclusive": "magenta",
    "not applicable": "dim",
}


def register(app: typer.Typer) -> None:
    """Mount `audit` on the researcher's command."""
    app.command("audit", epilog=_EPILOG)(audit)


def audit(
    train: Annotated[Path, typer.Option(help="Rows that the generator was fitted to: CSV, CSV.gz or Parquet.")],
    holdout: Annotated[Path, typer.Option(help="Rows of the same kind that it never saw, a fifth of all or more.")],
    synthetic: Annotated[Path, typer.Option(help="Rows that it made, and that may be published.")],
    schema: Annotated[
        Path | None, typer.Option(help="The schema, TOML; without it, one is guessed from the real rows.")
    ] = None,
    policy: Annotated[str, typer.Option(help="standard, strict, research, non-private or demo.")] = "standard",
    html: Annotated[Path | None, typer.Option(help="Write the whole report as one page.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write figures and decision as JSON; they are private.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="Column whose categories are groups; again for more.")] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="Column that must not be learned about a person; again for more.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Column that models are trained to predict; again for more.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of all chance; drawn unless given. Not known to who made the rows.", min=0)
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"Every check, on fewer records: {_QUICK_ATTACKS} instead of 1,000 in linkage, inference and near "
            f"copies, {_QUICK_TARGETS:,} instead of 20,000 in membership. A fail counts; a pass is for trials, since "
            "small leaks go unseen: audit without --quick before you publish.",
        ),
    ] = False,
) -> None:
    """Attack a synthetic table, measure it, and say by a policy whether it may be published.

    Works on any generator's output. The holdout is what tells a leak from a resemblance: rows of the same people or of
    the training part in it are refused. Before the attacks, small tables with known faults are made from the synthetic
    rows, and the attacks must find them; a check that does not is inconclusive, not passed.

    Groups, secrets and tasks are the schema's sensitive columns and target unless said here. Checks of the budget, of
    planted rows and of signatures do not apply to plain files.

    Exit status: 0 pass, perhaps with warnings; 1 fail; 2 the audit could not be made or its report not be written; 3
    inconclusive.
    """
    from rich.console import Console

    from headwater.cli.audit_outputs import check_outputs

    console = Console(stderr=True)
    # Status 1 says "fail": an audit that was not made must not be taken for one.
    with _refusals():
        check_outputs({"--html": html, "--json": json_file}, [train, holdout, synthetic, *([schema] if schema else [])])
        settings = _settings(group, secret, task, quick=quick)
        outcome = _audited(console, (train, holdout, synthetic), schema, policy, settings, seed)
    _print(Console(), outcome)
    with _refusals():
        _write(outcome, html, json_file, (train.name, holdout.name, synthetic.name))
    from headwater.cli.audit_words import STATUS

    raise typer.Exit(STATUS[outcome.decision.verdict])


@contextmanager
def _refusals() -> Iterator[None]:
    """One line and status 2 for what could not be done."""
    try:
        yield
    except HeadwaterError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        typer.echo(f"error: {error.strerror or error}{where}; mend it and run the command again", err=True)
        raise typer.Exit(2) from None


def _settings(
    groups: list[str] | None, guessed: list[str] | None, tasks: list[str] | None, *, quick: bool
) -> "AuditSettings":
    from headwater.evidence.settings import AuditSettings

    settings = AuditSettings(groups=tuple(groups or ()), secrets=tuple(guessed or ()), tasks=tuple(tasks or ()))
    return settings.model_copy(update={"attacks": _QUICK_ATTACKS, "targets": _QUICK_TARGETS}) if quick else settings


def _audited(
    console: "Console",
    paths: tuple[Path, Path, Path],
    schema: Path | None,
    policy: str,
    settings: "AuditSettings",
    seed: int | None,
) -> "Outcome":
    from headwater.cli.audit_files import read_files
    from headwater.cli.auditing import audit_files, check_packages, check_settings
    from headwater.release.policy import load_policy

    check_packages()
    rules = load_policy(policy)
    files = read_files(*paths, schema, settings.tasks)
    check_settings(settings, files.schema)
    _tell_reading(console, files, settings)
    drawn = secrets.randbelow(2**53) if seed is None else seed
    with _bar(console) as watcher:
        return audit_files(files, paths[2], settings, rules, drawn, watcher)


def _tell_reading(console: "Console", files: "AuditFiles", settings: "AuditSettings") -> None:
    if files.drafted:
        console.print(
            "[bold yellow]No --schema: one was guessed from training and holdout rows.[/bold yellow] What is "
            "sensitive, predicted and allowed was confirmed by nobody; `headwater schema draft` writes one to correct.",
            soft_wrap=True,
        )
    for notice in files.notices:
        console.print(f"[yellow]{plain(notice)}[/yellow]", soft_wrap=True)
    sensitive = [column.name for column in files.schema.columns if column.sensitive]
    for option, what, declared in (
        ("--group", "Bias between groups", settings.groups or sensitive),
        ("--secret", "Inference of secrets", settings.secrets or sensitive or files.schema.target),
        ("--task", "Usefulness", settings.tasks or files.schema.target),
    ):
        if not declared:
            said = f"{what} will not be asked: {option} names no column, and the schema marks none."
            console.print(f"[yellow]{said}[/yellow]", soft_wrap=True)


@contextmanager
def _bar(console: "Console") -> "Iterator[Callable[[Progress], None]]":
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    if not console.is_terminal:
        yield lambda progress: _line(console, progress)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: "Progress") -> None:
            bar.update(task, description=progress.check, completed=progress.done, total=progress.of)
            if progress.seconds is not None:
                _line(bar.console, progress)

        yield show


def _line(console: "Console", progress: "Progress") -> None:
    if progress.seconds is not None:
        what = f"[{progress.done}/{progress.of}] {progress.check}: {progress.seconds:.1f} s of CPU time"
        console.print(plain(what), highlight=False, soft_wrap=True)


def _print(console: "Console", outcome: "Outcome") -> None:
    """Gates first, the verdict last: it is what stays in sight."""
    from rich.table import Table as Grid
    from rich.text import Text

    from headwater.cli.audit_unasked import policy_in_words
    from headwater.cli.audit_words import gate_lines

    decision, told, policy = outcome.decision, outcome.told, outcome.policy
    console.print()
    console.print(Text(f"Policy {policy_in_words(policy, decision)}."), soft_wrap=True)
    # No frame, nothing cut: a name may have to be typed, and a file or pipe has no width of its own.
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("gate", no_wrap=True)
    grid.add_column("outcome", no_wrap=True)
    grid.add_column("why", overflow="fold")
    for line in gate_lines(decision, policy, outcome.evidence.measures):
        style = _COLOURS[line.outcome]
        for number, reason in enumerate(line.reasons):
            first = number == 0
            gate, came = (f"{line.id} {line.title}", line.outcome) if first else ("", "")
            grid.add_row(Text(printable(gate)), Text(came, style=style), Text(printable(reason)))
    console.print(grid)
    console.print()
    console.print(Text(told.headline, style=f"bold {_COLOURS[decision.verdict]}"), soft_wrap=True)
    for words in told.words:
        console.print(Text(printable(words)), soft_wrap=True)
    console.print(Text(f"To repeat it: --seed {outcome.seed}"), soft_wrap=True)


def _write(outcome: "Outcome", html: Path | None, json_file: Path | None, names: tuple[str, str, str]) -> None:
    from headwater.cli.audit_outputs import write_output
    from headwater.cli.auditing import report_of

    if html is not None:
        write_output("--html", html, report_of(outcome, names))
        typer.echo(f"The whole report: {html}")
    if json_file is not None:
        told = outcome.told
        document = {
            "told": {"headline": told.headline, "words": list(told.words), "not asked": told.unasked},
            "evidence": outcome.evidence.model_dump(mode="json"),
            "decision": outcome.decision.model_dump(mode="json"),
            "settings": outcome.settings.model_dump(mode="json"),
            "seed": outcome.seed,
            "seconds": {name: round(seconds, 3) for name, seconds in outcome.audited.seconds.items()},
        }
        write_output("--json", json_file, json.dumps(document, indent=1) + "\n")
        typer.echo(f"Every figure, which is private: {json_file}")
