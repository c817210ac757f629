"""The demo's release: every organisation reviews and signs what passed, and nobody is asked where the gate refuses."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet
import pytest
from rich.console import Console

from headwater.agreement.plan import Plan
from headwater.encoding.encoding import Encoding
from headwater.errors import ReleaseRefused
from headwater_server.demo.consortium import Consortium, GateAnswer
from headwater_server.demo.memoriser import Copies
from headwater_server.demo.releasing import release
from support.recipes import SCHEMA, small_plan, small_table

REVIEWED = """Visits (visits version 1)
┃ check ┃ value ┃
│ membership.nearest │ 0.010 │
By your own rows: G4 pass, G5 inconclusive.
Every figure is in audit-internal.json, which only you can read."""
GATE = """Gate of policy demo
│ G4 │ inconclusive, waived │
pass with warnings under policy demo, version 2.
release d1d1"""


class Staged:
    """A consortium whose gate has answered."""

    def __init__(self, answer: GateAnswer) -> None:
        self.members = ["hospital-a", "hospital-b"]
        self.asked: list[str] = []
        self._answer = answer

    def release(self, name: str) -> GateAnswer:
        self.asked.append(f"release {name}")
        return self._answer

    def review(self, member: str, name: str) -> str:
        self.asked.append(f"review by {member}")
        return REVIEWED

    def plan(self) -> Plan:
        return small_plan("marginals")

    def sign(self, member: str, name: str, digest: str) -> str:
        self.asked.append(f"{member} signs {digest}")
        return ""

    def refuse(self, member: str, name: str, reason: str) -> str:
        self.asked.append(f"{member} refuses: {reason}")
        return ""

    def wait_until_published(self, name: str) -> None:
        self.asked.append("published")


def played(answer: GateAnswer, sabotage: str = "") -> tuple[Staged, str]:
    """Play the release of a demo; the consortium, and what was shown."""

    @contextlib.contextmanager
    def step(phase: str, text: str) -> Iterator[None]:
        yield

    staged, console = Staged(answer), Console(width=200, record=True, quiet=False)
    try:
        release(console, step, cast("Consortium", staged), "visits", sabotage=sabotage)
    finally:
        staged.asked.append(console.export_text())
    return staged, staged.asked.pop()


def test_every_organisation_reviews_and_then_signs_the_digest_of_what_waits() -> None:
    staged, shown = played(GateAnswer(0, "G4 inconclusive", GATE, 1, ("hospital-a", "hospital-b")))
    assert staged.asked == [
        "release visits",
        "review by hospital-a",
        "hospital-a signs d1d1",
        "review by hospital-b",
        "hospital-b signs d1d1",
        "published",
    ]
    assert "hospital-a and hospital-b answer for them by name" in shown
    assert "By your own rows: G4 pass, G5 inconclusive." in shown
    assert "pass with warnings under policy demo" in shown
    assert "│" not in shown


def test_an_organisation_whose_own_audit_fails_refuses_and_nobody_is_asked_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Staged, "review", lambda self, member, name: f"{REVIEWED}\nYour own audit FAILS G6: refuse.")
    monkeypatch.setattr(Staged, "refuse", lambda self, member, name, reason: asked.append(f"{member}: {reason}"))
    with pytest.raises(ReleaseRefused, match="hospital-a refuses visits: its own audit fails"):
        played(GateAnswer(0, GATE, GATE))
    assert asked == ["hospital-a: our own audit fails"]


def test_a_gate_that_refuses_ends_the_demo_with_what_it_found() -> None:
    with pytest.raises(ReleaseRefused, match=r"hand out copied rows \(--sabotage memoriser\)"):
        played(GateAnswer(1, "FAIL: G6 Copies", "FAIL: G6 Copies"), "memoriser")


def test_the_saboteur_s_rows_are_copies(tmp_path: Path) -> None:
    real = small_table(30)
    pyarrow.parquet.write_table(real.to_arrow(), tmp_path / "rows.parquet")
    encoding = cast("Encoding", SimpleNamespace(schema=SCHEMA))
    (table,) = Copies(tmp_path / "rows.parquet").tables(encoding, 100, 7)

    def rows(columns: dict[str, Any], count: int) -> set[tuple[str, ...]]:
        return {tuple(str(values[row]) for values in columns.values()) for row in range(count)}

    assert table.rows == 100
    assert rows(dict(table.columns), 100) <= rows(dict(real.columns), 30)
