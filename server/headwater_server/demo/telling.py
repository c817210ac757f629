"""What the demo tells on the terminal before and after its steps."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from headwater.privacy.words import NOT_PRIVATE
from headwater.release.statement import headline
from headwater_server.demo.data import DemoData
from headwater_server.demo.looking_around import program
from headwater_server.demo.spent import SpentByAll

__all__ = ["conclude", "gate_in_short", "introduce", "own_audit_in_short", "print_quoted"]

Score = Mapping[str, float]


def introduce(console: Console, data: DemoData) -> None:
    """What table it is, and who holds how much of it."""
    rows = f"{data.train.num_rows:,} rows to train on, {data.test.num_rows:,} to judge by"
    console.print(f"[bold]{escape(data.name)}[/bold]: {rows}")
    if data.schema_was_drafted:
        console.print(
            f"[yellow]schema read from the rows[/yellow]: {len(data.schema.unconfirmed)} guesses that a person would "
            "confirm first; a real consortium agrees on public bounds instead"
        )
    for warning in data.warnings:
        console.print(f"[yellow]{escape(warning)}[/yellow]", highlight=False, soft_wrap=True)
    sizes = ", ".join(f"{len(part):,}" for part in data.parts)
    console.print(f"{len(data.parts)} organisations with {sizes} rows")


def print_quoted(console: Console, text: str) -> None:
    """What a command said, set off."""
    for line in text.strip().splitlines():
        console.print(f"  {line}", style="dim", markup=False, highlight=False)


def own_audit_in_short(page: str) -> str:
    """Of the page of an organisation's review, what came of each gate and where every figure stands."""
    told = ("By your own rows", "Your own audit FAILS", "Every figure is in")
    return "\n".join(line for line in page.splitlines() if line.startswith(told))


def gate_in_short(page: str) -> str:
    """What the gate's command printed, without its table."""
    lines = page.strip().splitlines()
    first = next((number for number, line in enumerate(lines) if _is_of_table(line)), 0)
    # The table's title stands above it.
    return "\n".join(line for line in lines[first:] if line.strip() and not _is_of_table(line))


def _is_of_table(line: str) -> bool:
    # Box drawings.
    return "\u2500" <= line.lstrip()[:1] <= "\u257f"


def conclude(console: Console, out: Path, result: Mapping[str, Any], privacy: SpentByAll | None, *, keep: bool) -> None:
    """Scores side by side, what was released, and what protects the people in the rows.

    Args:
        console: where to write.
        out: the folder of the results.
        result: as result.json has it.
        privacy: what was spent; None without a budget.
        keep: the consortium stays up; else its homes, with keys and ledgers, go with it.
    """
    same = "" if privacy is None else f", at ε = {privacy.claim.budget_epsilon:g} too"
    grid = Grid("train a model on …", "gbm AUC", "lr AUC", title="… and test it on real rows that nobody trained on")

    def add(what: str, score: Score, style: str = "") -> None:
        grid.add_row(what, f"{score['gbm']:.3f}", f"{score['lr']:.3f}", style=style)

    for number, score in enumerate(result["alone"]):
        add(f"organisation {number + 1}'s own generator, alone{same}", score)
    add("the shared generator", result["together"], "bold")
    add("pooled real rows, which nobody may have", result["real"], "dim")
    console.print(grid)
    if released := result["released"]:
        console.print(f"released by {released}", soft_wrap=True, markup=False, highlight=False)
    _print_privacy(console, privacy)
    console.print(str(result["protection"]), soft_wrap=True)
    kept = "" if privacy is None else ", ledgers/"
    files = f"synthetic.csv, dataset/, researcher/{kept}, result.json, health.svg"
    console.print(f"results in {out}: {files}", soft_wrap=True, markup=False)
    gone = "" if keep else "; the organisations' homes are gone with the demo, --keep leaves them"
    console.print(f"check by hand what it left{gone}:", soft_wrap=True)
    for command in _checks(out, () if privacy is None else sorted(privacy.ledgers)):
        console.print(f"  {command}", soft_wrap=True, markup=False, highlight=False)


def _checks(out: Path, members: Sequence[str]) -> list[str]:
    """The commands that check a demo's results after it, for a shell."""
    headwater, home = program("headwater"), shlex.quote(str(out / "researcher"))
    verify = f"HEADWATER_HOME={home} {headwater} verify {shlex.quote(str(out / 'dataset'))}"
    ledgers = (shlex.quote(str(out / "ledgers" / f"{member}.json")) for member in members)
    generator = out / "dataset" / "generator"
    # A release under a budget has its generator beside the rows.
    drawn = [f"{headwater} sample {shlex.quote(str(generator))} --out more.parquet"] if generator.is_dir() else []
    return [verify, *drawn, *(f"{program('headwater-org')} ledger verify {ledger}" for ledger in ledgers)]


def _print_privacy(console: Console, privacy: SpentByAll | None) -> None:
    if privacy is None:
        console.print(f"[bold red]{NOT_PRIVATE}[/bold red]: see the card")
        return
    console.print("ε of this run, by three who do not trust one another:", highlight=False)
    for line in privacy.lines:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"[bold]{headline(privacy.claim)}[/bold]", highlight=False, soft_wrap=True)
    console.print(
        "What ε does not cover stands on the card. This demo itself protects nobody: one machine holds all rows.",
        highlight=False,
        soft_wrap=True,
    )
