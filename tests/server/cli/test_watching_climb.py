"""What a person reads of a climb while it runs."""

from headwater_server.cli.watching import describe

ROUND = {"kind": "expectation", "rung": 2, "components": 40, "log_density": -15.25, "attack_auc": 0.512}


def test_a_round_says_how_far_the_climb_is() -> None:
    assert describe(ROUND) == "mixture, rung 2: 40 components, log-density -15.250, attack 0.512"


def test_the_end_of_a_rung_says_whether_it_stands_and_why_not() -> None:
    assert "within the attack's limit" in describe({**ROUND, "passed": True, "reason": ""})
    refused = describe({**ROUND, "passed": False, "reason": "the attack [could] pass"})
    assert "over the attack's limit" in refused
    assert "the attack" in refused
