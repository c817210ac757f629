"""A dataset on a terminal: what it is, what was verified of it, how far its download is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.table import Table as Grid

from headwater.cli.wording import plain
from headwater.file_size import size_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.release import Manifest, Verification
    from headwater.release.statement import Statement

__all__ = ["progress_bar", "show_manifest", "show_verification"]


def show_manifest(console: Console, manifest: "Manifest") -> None:
    """Print a verified manifest: what the dataset is, what protects the people behind it and what not, its files."""
    from headwater.release.statement import headline, not_to_be_used_for, protection_statement, signatures_in_words

    provenance = manifest.provenance
    console.print(f"[bold]{plain(manifest.title)}[/bold]  ({manifest.name}, version {manifest.version})")
    if manifest.description:
        console.print(plain(manifest.description))
    privacy = manifest.protection.privacy
    statement = protection_statement(provenance.organisations, manifest.unconfirmed_schema, manifest.protection)
    style = _style(privacy != "none")
    # Above the panel, not in its border: a narrow terminal would cut what ε means nothing without.
    console.print(f"[{style}]{headline(privacy)}[/{style}]", highlight=False)
    console.print(Panel(_statement(statement), border_style=style))
    facts = Grid.grid(padding=(0, 2))
    for label, value in (
        ("rows", f"{manifest.rows:,}"),
        ("columns", str(manifest.columns)),
        ("made", manifest.created),
        ("by", f"{provenance.organisations} organisations of {provenance.consortium}"),
        ("licence", manifest.licence),
        ("generator", _generator(manifest)),
        ("signatures", signatures_in_words(manifest.protection)),
        ("digest", manifest.digest),
        ("size", f"{size_in_words(manifest.size_bytes)} in {len(manifest.files)} files"),
    ):
        facts.add_row(f"[dim]{label}[/dim]", plain(value))
    console.print(facts)
    console.print("\n[bold]Not to be used for[/bold]")
    for line in not_to_be_used_for():
        console.print(f"• {line}")


def show_verification(console: Console, verification: "Verification") -> None:
    """Print what a verification found, and what it could not."""
    console.print(f"Signatures: {verification.signatures}.")
    if verification.audit is not None:
        _tell_audit(console, verification)
    style = _style(verification.replay is not None)
    console.print(f"[{style}]{verification.headline}[/{style}]", highlight=False)
    if verification.replay is None:
        return
    replayed = "green" if verification.replay.exact else "yellow"
    console.print(f"[{replayed}]{plain(verification.replay.in_words)}.[/{replayed}]", highlight=False)
    console.print(
        "Not checked here: that the noise was added, and that these are all events. The organisations can, by the "
        "receipts and ledgers that they hold.",
        highlight=False,
    )
    console.print(_statement(verification.statement), highlight=False)


@contextmanager
def progress_bar(console: Console, what: str) -> "Iterator[Callable[[int, int], None]]":
    """A bar while a dataset comes; gives what to call with (bytes there, bytes in all)."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(plain(what), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell_audit(console: Console, verification: "Verification") -> None:
    from headwater.agreement.documents import instant_of
    from headwater.release.statement import verdict_in_words

    claim = verification.manifest.protection.audit
    if claim == "none":
        return
    style = "green" if claim.verdict == "pass" else "yellow"
    words = verdict_in_words(claim)
    console.print(
        f"[{style}]{words[0].upper()}{words[1:]}; attempt {claim.attempts} at its plan, over all runs.[/{style}]",
        highlight=False,
    )
    if verification.judged_apart:
        console.print(f"{verification.judged_apart}.", highlight=False)
    for line in verification.expired_waivers(instant_of(datetime.now(UTC))):
        console.print(f"[yellow]Since then {line}.[/yellow]", highlight=False)


def _generator(manifest: "Manifest") -> str:
    match manifest.generator:
        case "kept":
            return "kept: its rows are all that is published of it"
        case "on request":
            return f"on request: headwater sample {manifest.name} --on-request, with a token of scope sample"
        case _:
            return f"released: headwater sample {manifest.name} draws more rows here"


def _style(private: bool) -> str:
    return "green" if private else "yellow"


def _statement(statement: "Sequence[Statement]") -> str:
    lines = []
    for said in statement:
        bullet = "[yellow]•[/yellow]" if said.grave else "•"
        lines += [f"{bullet} [bold]{said.short}.[/bold] {said.full}", *(f"  - {clause}" for clause in said.clauses)]
    return "\n".join(lines)
