"""What the benchmark of audits measures: one row for each claim, each seed of it in a process of its own."""

from typing import Any

from audit.tables import Law
from generator.rows import Row

__all__ = ["LAW_WORDS", "PEERS", "SEEDS", "SHARE", "WHAT_WORDS", "audit_rows", "name_of", "peer_rows", "quick_rows"]

SEEDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
_FEW_SEEDS = (1, 2, 3)
_PEER_SEEDS = (1,)
SHARE = 0.05
_MILLION = 1_000_000

LAW_WORDS: dict[Law, str] = {
    "drawn": "all rows drawn anew from one mixture",
    "rows": "real rows of neither part, 13,024",
    "mixture": "a mixture fitted to the training rows",
}
WHAT_WORDS = {"fresh": "nothing copied", "copier": f"{SHARE:.0%} copied"}

PEERS = {"sdmetrics": "SDMetrics, DCROverfittingProtection", "anonymeter": "Anonymeter, linkability"}
"""Peer → in words; each has an environment of its own by this name."""

_TOLD = {"groups": ["sex", "race"], "secrets": ["occupation"], "tasks": ["income"]}


def name_of(law: Law, what: str, by: str = "audit") -> str:
    """Name of a row."""
    return f"adult-{by}-{law}-{what}"


def _row(law: Law, what: str, seeds: tuple[int, ...], rows: int = 0, by: str = "audit") -> Row:
    settings: dict[str, Any] = {"law": law, "what": what, "share": SHARE, "rows": rows, "told": _TOLD}
    if by != "audit":
        return Row(name_of(law, what, by), "audit-peer", "adult", settings | {"peer": by}, seeds)
    name = name_of(law, what) if not rows else f"adult-audit-{rows}"
    return Row(name, "audit", "adult", settings, seeds, alone=bool(rows))


def audit_rows() -> list[Row]:
    """Every row of ours: those with a number to reach first."""
    return [
        _row("mixture", "copier", SEEDS),
        _row("drawn", "fresh", SEEDS),
        _row("rows", "fresh", _FEW_SEEDS),
        _row("mixture", "fresh", _FEW_SEEDS),
        _row("mixture", "fresh", (1,), _MILLION),
    ]


def peer_rows() -> list[Row]:
    """Peers, on the tables that ours has for the same seeds."""
    return [_row("mixture", what, _PEER_SEEDS, by=peer) for peer in PEERS for what in WHAT_WORDS]


def quick_rows() -> list[Row]:
    """One seed of what is soon done."""
    return [_row("mixture", "copier", (1,)), _row("drawn", "fresh", (1,)), _row("mixture", "fresh", (1,))]
