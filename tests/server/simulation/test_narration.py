"""What a person reads of a simulation under way: live on a terminal, a line for each rung elsewhere."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from headwater_server.simulation.narration import Narrator

ROUND: dict[str, Any] = {
    "kind": "expectation", "rung": 1, "components": 20, "log_density": -14.1, "attack_auc": 0.501
}  # fmt: skip
END = {**ROUND, "attack_error": 0.01, "attack_limit": 0.56, "passed": True, "reason": ""}
TILT = {**{name: value for name, value in END.items() if name != "rung"}, "tolerance": 3.0, "acceptance": 0.9}
Step = tuple[str, Sequence[Mapping[str, object]]]


def narrated(steps: Sequence[Step], *, terminal: bool) -> list[str]:
    """The lines that stand in the end, each step two seconds long."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=60, color_system=None)
    with Narrator(console) as narrator:
        for what, records in steps:
            narrator.begins(what)
            narrator.ends(what, 2.0, records)
    return [line for line in file.getvalue().splitlines() if ": " in line and " s" in line]


def test_a_file_has_one_unbroken_line_for_each_rung() -> None:
    steps = [("expectation", [ROUND])] * 3 + [("expectation", [END]), ("expectation", [{**END, "rung": 2}])]
    assert narrated(steps, terminal=False) == [
        "Fitting the mixture by sums: 8.0 s, rung 1, 20 components, 4 rounds, log-density -14.100, attack 0.501 "
        "(0.511 with its standard error, limit 0.560), within the attack's limit",
        "Fitting the mixture by sums: 2.0 s, rung 2, 20 components, 1 round, log-density -14.100, attack 0.501 "
        "(0.511 with its standard error, limit 0.560), within the attack's limit",
    ]


def test_a_terminal_has_a_line_for_each_round() -> None:
    said = narrated([("expectation", [ROUND]), ("expectation", [END])], terminal=True)
    assert sum("log-density" in line for line in said) == 2


def test_rounds_of_a_tilt_are_called_tilting() -> None:
    (said,) = narrated([("tilt", [TILT])], terminal=False)
    assert said.startswith("Tilting the mixture to the counted pairs: 2.0 s, 20 components, pairs within 3 standard")
    assert "90% of draws kept" in said
    assert "Fitting" not in said


def test_a_rung_that_a_sum_cut_short_is_told_before_that_sum() -> None:
    refused = [
        {"kind": "expectation", "accepted": False, "reason": "the sum cannot be one"},
        {"kind": "ended", "on": "rung", "refused": 1, "components": 20},
    ]
    first, second = narrated([("expectation", [ROUND]), ("expectation", refused)], terminal=False)
    assert "1 round," in first
    assert "NOT TAKEN: the sum cannot be one; the climb ends" in second


def test_other_steps_have_a_line_each() -> None:
    counted = {"kind": "histograms", "rows": 1200, "contributors": 3}
    steps: list[Step] = [("histograms", [counted]), ("sample", [])]
    expected = ["Summing histograms: 2.0 s, 1,200 training rows of 3 organisations", "Sampling rows: 2.0 s"]
    assert narrated(steps, terminal=False) == expected
