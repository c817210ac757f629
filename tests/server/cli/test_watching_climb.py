"""What a person reads of a climb while it runs."""

from typing import Any

from headwater_server.cli.watching import Lines, describe, finished_in_words

ROUND: dict[str, Any] = {
    "kind": "expectation", "rung": 2, "components": 40, "log_density": -15.25, "attack_auc": 0.512, "seconds": 0.5
}  # fmt: skip
END = {**ROUND, "passed": True, "reason": ""}
TILT = {
    "kind": "expectation", "tolerance": 2.0, "acceptance": 0.75, "components": 40, "log_density": -15.0,
    "attack_auc": 0.55, "attack_error": 0.004, "attack_limit": 0.56, "passed": False, "reason": "could pass",
}  # fmt: skip
REFUSED = {"kind": "expectation", "accepted": False, "reason": "the sum cannot be one"}
DROPPED = {"kind": "dropped", "member": "org-2", "phase": "masking", "reason": "gone"}


def told(records: list[dict[str, Any]], *, every_round: bool) -> list[str]:
    lines = Lines(every_round=every_round)
    return [line for record in records for line in lines.of(record)] + lines.rest()


def test_a_round_says_how_far_the_climb_is() -> None:
    said = "mixture, rung 2: 40 components, log-density -15.250, attack 0.512 [dim]0.5 s[/dim]"
    assert describe(ROUND) == said


def test_the_end_of_a_rung_says_whether_it_stands() -> None:
    assert "[green]within the attack's limit[/green]" in describe(END)
    assert "[yellow]over the attack's limit; this rung is not taken[/yellow]" in describe({**END, "passed": False})


def test_a_tilt_is_called_one() -> None:
    said = describe(TILT)
    assert said.startswith("mixture, tilted to the counted pairs: 40 components, pairs within 2 standard deviations")
    assert "rung" not in said
    assert "attack 0.550 (0.554 with its standard error, limit 0.560)" in said
    assert "this tilt is not taken" in said


def test_a_terminal_shows_every_round_and_a_file_every_rung() -> None:
    records = [ROUND, ROUND, END, {**ROUND, "rung": 3}, {**END, "rung": 3}, TILT]
    assert len(told(records, every_round=True)) == 6
    rungs = told(records, every_round=False)
    assert len(rungs) == 3
    assert rungs[0].startswith("mixture, rung 2: 40 components, 3 rounds, log-density")
    assert "1.5 s" in rungs[0]


def test_what_happens_within_a_rung_is_told_at_once_and_a_rung_cut_short_before_its_end() -> None:
    lines = told([ROUND, DROPPED, ROUND, REFUSED], every_round=False)
    assert ["org-2 dropped" in lines[0], "2 rounds" in lines[1], "not taken" in lines[2]] == [True] * 3
    assert "1 round," in told([ROUND], every_round=False)[0]


def test_a_finished_run_says_of_what_generator_it_is() -> None:
    assert finished_in_words({"released": "recipe mixture: a mixture of 40 components"}).endswith("40 components")
    assert finished_in_words({"rows": 3}) == finished_in_words(None) == ""
