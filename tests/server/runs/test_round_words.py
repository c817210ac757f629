"""A training round in words, and what a run's result keeps of its rounds."""

from headwater_server.cli.watching import describe
from headwater_server.runs.round_words import ended_on, judgement_in_words, training_outcome

WELL = {"entropy_ratio": 0.95, "duplicates": 0.01, "nearest_distance": 0.3, "tvd1": 0.02, "latent_sensitivity": 0.05}
TAKEN = {"kind": "merge", "round": 1, "accepted": True, "reason": "", "flags": [], "marginal_loss": 0.1, "health": WELL}
SICK = {
    "kind": "merge", "round": 2, "accepted": False, "flags": ["explosion"], "remedies": {"explosion": 1},
    "reason": "the update is far larger than those before", "marginal_loss": 3.0, "health": WELL,
}  # fmt: skip
ENDED = {"kind": "ended", "on": "base", "refused": 2}
NOT_A_SUM = {"kind": "expectation", "step": 9, "contributors": 5, "accepted": False, "reason": "the sum cannot be one"}
RUNG = {"kind": "ended", "on": "rung", "refused": 1, "components": 40}


def test_one_line_a_round_says_whether_it_was_taken_what_is_wrong_and_what_changes() -> None:
    taken, sick = describe(TAKEN), describe(SICK)
    assert "taken" in taken
    assert "entropy 0.95" in taken
    assert "not taken" in sick
    assert "far larger than those before" in sick
    assert "clipped at 1/2 of the plan's norm" in sick
    mild = describe({**TAKEN, "flags": ["strong critic"], "remedies": {"critic": 1}})
    assert "the critic is too strong" in mild
    assert "learns 2 times less" in mild


def test_a_sum_that_was_refused_is_told_in_its_own_words_alone() -> None:
    refused = {
        "kind": "merge",
        "round": 3,
        "accepted": False,
        "flags": ["explosion"],
        "reason": "the sum cannot be one",
    }
    assert describe(refused).count(";") == 0
    assert "the sum cannot be one" in describe(refused)


def test_the_end_says_on_what_and_that_nobody_can_tell_whose_it_was() -> None:
    assert "the base that it began with" in describe(ENDED)
    assert "nobody can tell whose" in describe(ENDED)
    assert "last model taken" in describe({**ENDED, "on": "checkpoint"})


def test_a_climb_that_a_sum_ended_says_on_what_and_that_nobody_can_tell_whose_it_was() -> None:
    assert describe(NOT_A_SUM) == "mixture: [red]not taken[/red] (the sum cannot be one)"
    assert "the mixture of 40 components that stands" in describe(RUNG)
    assert "nobody can tell whose" in describe(RUNG)


def test_the_sums_line_says_how_large_the_update_is() -> None:
    line = describe({"kind": "update", "contributors": 5, "update_norm": 0.5662, "cosine": -0.25})
    assert "norm 0.566, cosine with the one before -0.25" in line


def test_a_result_keeps_how_many_rounds_were_refused_and_what_it_ended_on() -> None:
    assert training_outcome([TAKEN, SICK, SICK, ENDED]) == {"refused_rounds": 2, "ended_on": "base"}
    assert training_outcome([TAKEN]) == {"refused_rounds": 0, "ended_on": ""}
    assert training_outcome([NOT_A_SUM, RUNG]) == {"refused_rounds": 1, "ended_on": "rung"}
    assert [ended_on(stored) for stored in ("base", "checkpoint", "rung", "", None, "other")] == [
        "base",
        "checkpoint",
        "rung",
        "",
        "",
        "",
    ]


def test_a_judgement_says_which_rounds_networks_it_is_about() -> None:
    again = {"kind": "judge", "round": 6, "next_round": 3, "again": True, "accepted": False, "reason": "it remembers"}
    assert judgement_in_words(again) == (
        "the networks of training round 6 are not released, those of round 3 are evaluated instead: it remembers"
    )
    taken = {
        "kind": "judge", "round": 3, "accepted": True, "refined": False, "strength": 1.0, "auc": 0.51,
        "base_auc": 0.55, "attack_auc": 0.53, "attack_error": 0.01, "attack_limit": 0.56,
    }  # fmt: skip
    assert judgement_in_words(taken) == (
        "draws weighed by 1 of the critic's opinion, networks of training round 3: the critic tells them from rows "
        "with AUC 0.510, the base's with 0.550; attack 0.530 (0.540 with its standard error, limit 0.560)"
    )


def test_a_judgement_that_an_older_version_stored_is_told_without_its_round() -> None:
    assert judgement_in_words({"again": True, "accepted": False, "reason": "it remembers"}).endswith("it remembers")


def test_a_round_on_pictures_that_is_not_taken_says_why_and_is_counted() -> None:
    record = {"kind": "update", "round": 3, "contributors": 5, "accepted": False, "reason": "the sum cannot be one"}
    assert "not taken" in describe(record)
    assert "the sum cannot be one" in describe(record)
    assert training_outcome([record]) == {"refused_rounds": 1, "ended_on": ""}
