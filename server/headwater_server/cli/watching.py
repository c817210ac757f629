"""One readable line for each record of a run's progress."""

from collections.abc import Mapping
from typing import Any

__all__ = ["describe"]


def describe(record: Mapping[str, Any]) -> str:
    """A line for people, with rich markup; empty for a record that says nothing to them."""
    seconds = f" [dim]{record['seconds']:.1f} s[/dim]" if "seconds" in record else ""
    match record.get("kind"):
        case "setup":
            return f"setup {record['attempt']}: waiting for {', '.join(record['expected'])}"
        case "ready":
            members = ", ".join(record["members"])
            return f"session of {len(record['members'])}: {members} – [red]{record['protection']}[/red]"
        case "histograms":
            return f"histograms: {record['rows']:,} training rows, {record['codes']} codes{seconds}"
        case "marginals":
            groups = ", ".join("+".join(group) for group in record.get("super_columns", []))
            more = f"; super-columns {groups}" if groups else ""
            return f"marginals: {record['tables']} tables, {record['cells']:,} cells{more}{seconds}"
        case "fitting":
            return f"  fitting {record['done']}/{record['of']}, loss {record['loss']:.4f}"
        case "fit":
            return f"fit: distance from marginals {record['marginal_loss']:.4f}, {_health(record)}{seconds}"
        case "update":
            return _update(record) + seconds
        case "dropped":
            return f"[yellow]{record['member']} dropped out in phase {record['phase']}[/yellow]: {record['reason']}"
        case "aborted":
            return f"[yellow]round {record['round']} aborted[/yellow]: {record['reason']}"
        case "session_failed":
            return f"[yellow]session ended, a new setup follows[/yellow]: {record['reason']}"
        case "failed":
            return f"[red]failed[/red]: {record['reason']}"
        case _:
            return ""


def _update(record: Mapping[str, Any]) -> str:
    organisations = f"{record.get('contributors', '?')} organisations"
    if record.get("accepted", True):
        loss = f"distance {record['marginal_loss']:.4f}, " if "marginal_loss" in record else ""
        return f"training round: {organisations}, {loss}{_health(record)}"
    return f"[yellow]training round not taken[/yellow]: {organisations}, {record.get('reason', '')}"


def _health(record: Mapping[str, Any]) -> str:
    health = record.get("health") or {}
    if not health:
        return ""
    return (
        f"entropy {health['entropy_ratio']:.2f}, duplicates {health['duplicates']:.1%}, 1-way TVD {health['tvd1']:.3f}"
    )
