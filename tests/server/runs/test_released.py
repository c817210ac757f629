"""What was released, and the attack on it, read from a run's history."""

from typing import Any

from headwater.mixture.attack import UNTESTED
from headwater_server.runs.released import released_attack, released_in_words
from support.recipes import small_plan

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


STANDS: Record = {**rung(0.52, True), "components": 20, "attack_error": 0.01}
TILT: Record = {**rung(0.54, True), "components": 20, "attack_error": 0.012, "tolerance": 3.0}
TAKEN: Record = {**judged(0.541, attack_error=0.004), "round": 3, "refined": True, "strength": 0.5}
FIT: Record = {"kind": "fit"}


def merged(number: int, accepted: bool = True) -> Record:
    return {"kind": "merge", "round": number, "accepted": accepted}


def of(kind: str, *history: Record, **settings: Any) -> str:
    return released_in_words(small_plan(kind, **settings), history)


def test_a_mixture_is_told_by_its_components_and_the_attack_beside_its_limit() -> None:
    assert of("mixture", *CLIMB[:1], STANDS, {**rung(0.58, False), "components": 40}) == (
        "recipe mixture: a mixture of 20 components; training rows are told from validation rows with AUC 0.520 "
        "(.5 is chance), 0.530 with its standard error, limit 0.560"
    )


def test_a_tilt_is_told_by_its_tolerance() -> None:
    said = of("mixture", STANDS, TILT, {**TILT, "tolerance": 2.0, "passed": False})
    assert "a mixture of 20 components, tilted to the counted pairs within 3 standard deviations;" in said
    assert "0.552 with its standard error" in said


def test_a_rung_that_stands_over_the_limit_is_told_as_such() -> None:
    said = of("mixture", {**rung(0.61, False, "could pass"), "components": 4, "attack_error": 0.02})
    assert said.endswith("limit 0.560: OVER IT, for the lowest rung stands whatever it shows")
    assert of("mixture", {**rung(0.5, False, UNTESTED), "components": 4}).endswith(
        "the attack is not measured, for no organisation has a validation row to attack with"
    )


def test_a_refined_mixture_is_told_by_the_round_that_trained_it_and_its_own_attack() -> None:
    said = of("hybrid", STANDS, merged(1), judged(None, again=True), TAKEN, base="mixture")
    assert said.startswith(
        "recipe hybrid: a mixture of 20 components, draws refined and weighed by 0.5 of the critic's opinion, networks "
        "of training round 3; training rows are told from validation rows with AUC 0.541"
    )


def test_a_base_that_nothing_took_the_place_of_is_told_as_one() -> None:
    said = of("hybrid", STANDS, merged(1), judged(None), base="mixture")
    assert "recipe hybrid: its base as it is, a mixture of 20 components;" in said


def test_a_network_is_told_by_its_last_round_taken() -> None:
    no_attack = "; no attack is made on a network, only on a mixture"
    rounds = [merged(1), merged(2), merged(3, accepted=False)]
    ended = {"kind": "ended", "on": "base", "refused": 2}
    calibrated = {"kind": "calibration", "accepted": True}
    assert of("hybrid", FIT, *rounds) == "recipe hybrid: the network that training round 2 of 3 left" + no_attack
    assert of("marginals", FIT) == "recipe marginals: a network fitted to the summed marginals" + no_attack
    base = "recipe hybrid: its base, a network fitted to the summed marginals" + no_attack
    assert of("hybrid", FIT, *rounds, ended) == base
    assert "round 2 of 3 left, calibrated to the summed marginals;" in of("adversarial", FIT, *rounds, calibrated)
    assert "the network that training began with;" in of("adversarial", FIT, merged(1, accepted=False))


def test_a_convolutional_generator_is_told_by_its_rounds() -> None:
    updates = [{"kind": "update", "round": 1}, {"kind": "update", "round": 2, "accepted": False}]
    assert "a convolutional generator, averaged over 1 training rounds" in of("adversarial", *updates)
