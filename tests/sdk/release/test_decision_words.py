"""Gates in words: a pass without a self-test is none to rely on."""

import pytest

from headwater.evidence.measure import Measure
from headwater.release.decision_words import UNPROVEN, gate_lines
from headwater.release.policy import decide, load_policy
from support.evidences import honest_measures, make_evidence, without

NOW = "2026-11-22T12:00:00Z"
UNTESTED = Measure(check="controls.copier", subject="copies.near", status="inconclusive", reason="3 rows", needed=1800)


@pytest.mark.parametrize(
    ("measures", "outcome"),
    [(honest_measures(), "pass"), ((*without("controls.copier"), UNTESTED), UNPROVEN)],
)
def test_attacks_are_as_good_as_the_self_test(measures: tuple[Measure, ...], outcome: str) -> None:
    found = decide(make_evidence(measures), load_policy("standard"), now=NOW)
    lines = {line.gate: line for line in gate_lines(found)}
    assert {lines[gate].outcome for gate in ("G4", "G5", "G6", "G12")} == {outcome}
    # Ledgers, canaries with a control of their own, and files need none.
    assert {lines[gate].outcome for gate in ("G1", "G3", "G7", "G8")} == {"pass"}
    warned = lines["G6"].why.startswith("passed, but not to be relied on: the self-test is inconclusive; ")
    assert warned is (outcome == UNPROVEN)
