"""A climb in words: rounds gathered into rungs, and what the attack made of them."""

from typing import Any

import pytest

from headwater.mixture.attack import UNTESTED
from headwater_server.runs.climb_words import RungTally, is_climb_round, round_in_words, verdict_in_words

Record = dict[str, Any]

ROUND: Record = {"kind": "expectation", "rung": 2, "components": 40, "log_density": -15.25, "attack_auc": 0.512}
END: Record = {**ROUND, "attack_error": 0.01, "attack_limit": 0.56, "passed": True, "reason": ""}
TILT: Record = {**END, "tolerance": 3.0, "acceptance": 0.83}
del TILT["rung"]


def test_the_rounds_of_a_rung_become_one_record_with_their_time() -> None:
    tally = RungTally()
    assert tally.add({**ROUND, "seconds": 1.0}) is None
    assert tally.add({**ROUND, "seconds": 2.0}) is None
    whole = tally.add({**END, "attack_auc": 0.53, "seconds": 0.5})
    assert whole is not None
    assert (whole["rounds"], whole["seconds"], whole["attack_auc"]) == (3, 3.5, 0.53)
    assert tally.close() is None
    next_rung = tally.add({**END, "rung": 3})
    assert next_rung is not None
    assert next_rung["rounds"] == 1
    assert "seconds" not in next_rung


def test_a_rung_cut_short_is_given_out_once() -> None:
    tally = RungTally()
    tally.add(ROUND)
    begun = tally.close()
    assert begun is not None
    assert begun["rounds"] == 1
    assert tally.close() is None


def test_a_rung_says_components_rounds_likelihood_and_the_attack_beside_its_limit() -> None:
    assert round_in_words({**END, "rounds": 7}) == (
        "40 components, 7 rounds, log-density -15.250, attack 0.512 (0.522 with its standard error, limit 0.560)"
    )
    assert "1 round," in round_in_words({**END, "rounds": 1})


def test_a_tilt_says_how_near_the_pairs_come_and_how_many_draws_are_kept() -> None:
    said = round_in_words({**TILT, "rounds": 1})
    assert said.startswith("40 components, pairs within 3 standard deviations of their counts, 83% of draws kept, ")
    assert "round" not in said


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (ROUND, ""),
        (END, "within the attack's limit"),
        ({**END, "passed": False, "reason": "x"}, "over the attack's limit; this rung is not taken"),
        ({**END, "rung": 1, "passed": False, "reason": "x"}, "over the attack's limit; it stands as the lowest rung"),
        ({**TILT, "passed": False, "reason": "x"}, "over the attack's limit; this tilt is not taken"),
        (
            {**END, "rung": 1, "passed": False, "reason": UNTESTED},
            f"not tested: {UNTESTED}; it stands as the lowest rung",
        ),
    ],
)
def test_the_verdict_says_what_stands(record: Record, verdict: str) -> None:
    assert verdict_in_words(record) == verdict


def test_an_attack_on_no_row_is_no_figure() -> None:
    assert "attack not measured" in round_in_words({**END, "attack_auc": 0.5, "passed": False, "reason": UNTESTED})


def test_a_sum_that_was_not_taken_is_no_round() -> None:
    assert is_climb_round(ROUND)
    assert not is_climb_round({"kind": "expectation", "accepted": False, "reason": "the sum cannot be one"})
    assert not is_climb_round({"kind": "merge"})
