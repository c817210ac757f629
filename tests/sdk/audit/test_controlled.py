"""When an attack with a control says something, and when it is too small to."""

import numpy as np
import pytest

from headwater.audit.controlled import controlled_measure


@pytest.mark.parametrize("tally", [(200, 216, 6, 12), (29, 29, 0, 400), (400, 400, 0, 29)])
def test_few_attacks_on_either_side_prove_nothing(tally: tuple[int, ...]) -> None:
    measure = controlled_measure("linkability", "", tally)
    assert measure.status == "inconclusive"
    assert measure.needed is not None


def test_a_risk_that_shows_is_measured_though_fewer_attacks_than_needed_were_made() -> None:
    measure = controlled_measure("linkability", "", (35, 40, 2, 40))
    assert measure.status == "measured"
    assert measure.p_value is not None
    assert measure.p_value < 1e-6


def test_what_does_not_show_and_is_not_excluded_is_left_open() -> None:
    # Four of five secrets are guessed without a leak: .05 +- .055, from below 0 to above .1, accuses nobody.
    measure = controlled_measure("inference", "income", (16121, 20000, 5184, 6513))
    assert measure.status == "inconclusive"
    assert "cannot exclude a risk of 0.1" in measure.reason
    assert (measure.needed or 0) > 6513
    shown = controlled_measure("inference", "income", (16271, 20000, 5205, 6513))
    assert shown.status == "measured"
    assert (shown.low or 0) > 0


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_small_organisations_are_rarely_accused(rate: float) -> None:
    random = np.random.default_rng(int(100 * rate))
    alarms = 0
    for _ in range(500):
        tally = (int(random.binomial(200, rate)), 200, int(random.binomial(12, rate)), 12)
        measure = controlled_measure("inference", "income", tally)
        alarms += measure.p_value is not None and measure.p_value < 0.01
    # Twelve held-out rows are too few for any alarm; before, the law of the interval gave some.
    assert alarms == 0
