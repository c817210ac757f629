"""The attack on what was released, read from a run's history."""

from typing import Any

from headwater.mixture.attack import UNTESTED
from headwater_server.simulation.released import released_attack

Record = dict[str, Any]


def rung(auc: float, passed: bool, reason: str = "") -> Record:
    return {"kind": "expectation", "attack_auc": auc, "passed": passed, "reason": reason}


def judged(auc: float | None, **more: Any) -> Record:
    return {"kind": "judge", "accepted": auc is not None, "attack_auc": auc, **more}


CLIMB = [{"kind": "expectation", "attack_auc": 0.6}, rung(0.52, True), rung(0.55, True), rung(0.58, False)]


def test_the_highest_rung_or_tilt_that_passed_is_what_stands() -> None:
    assert released_attack(CLIMB) == 0.55
    assert released_attack([*CLIMB, rung(0.556, True), rung(0.57, False)]) == 0.556


def test_the_lowest_rung_stands_though_it_did_not_pass() -> None:
    assert released_attack([rung(0.61, False), rung(0.63, False)]) == 0.61


def test_draws_that_were_taken_are_attacked_by_their_judgement() -> None:
    assert released_attack([*CLIMB, judged(None, again=True), judged(0.541)]) == 0.541


def test_the_base_is_attacked_by_its_climb_where_nothing_took_its_place() -> None:
    assert released_attack([*CLIMB, judged(None)]) == 0.55


def test_what_nobody_attacked_has_no_figure() -> None:
    assert released_attack([{"kind": "fit"}, {"kind": "merge", "accepted": True}]) is None
    assert released_attack([rung(0.5, False, UNTESTED)]) is None
