"""An audit's figures as a table at the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_measures"]


def print_measures(console: "Console", evidence: object) -> None:
    """Print what the organisations' sum says of a candidate.

    Args:
        console: to print on.
        evidence: `RunEvidence` as JSON; nothing is printed of anything else.
    """
    from rich.markup import escape
    from rich.table import Table

    if not isinstance(evidence, dict):
        return
    if evidence["failed"]:
        console.print(f"[red]Audit failed:[/red] {escape(evidence['failed'])}.", highlight=False, soft_wrap=True)
        return
    if not evidence["measures"]:
        said = "Under a budget no figure of real rows leaves an organisation: each audits the rows before it signs."
        console.print(said if not evidence["organisations"] else "No check counted anything.", soft_wrap=True)
        return
    table = Table(title=f"What {evidence['organisations']} organisations found out about the rows, in one sum")
    for heading, side in (("check", "left"), ("value", "right"), ("interval", "right"), ("without a fault", "right")):
        table.add_column(heading, justify="right" if side == "right" else "left")
    for measure in evidence["measures"]:
        table.add_row(escape(_name(measure)), *(escape(text) for text in _figures(measure)))
    console.print(table)


def _name(measure: Mapping[str, Any]) -> str:
    return f"{measure['check']} [{measure['subject']}]" if measure["subject"] else str(measure["check"])


def _figures(measure: Mapping[str, Any]) -> tuple[str, str, str]:
    if measure["value"] is None:
        return str(measure["status"]), "", ""
    low, high, null = measure["low"], measure["high"], measure["null"]
    interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return f"{measure['value']:.3f}", interval, "" if null is None else f"{null:.3f}"
