"""A measure says whether there is a value, and what its chance is known by."""

import pytest
from pydantic import ValidationError

from headwater.evidence.measure import Measure


def test_a_measure_goes_through_json_unchanged() -> None:
    measure = Measure(
        check="membership.domias-5", subject="sex=Female", value=0.057, low=0.044, high=0.073, null=0.01,
        law="binomial", tally=(57, 1000), trials=1000, detectable=0.02, details={"auc": 0.53},
    )  # fmt: skip
    assert Measure.model_validate_json(measure.model_dump_json()) == measure
    assert measure.name == "membership.domias-5 [sex=Female]"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"value": None}, "no value"),
        ({"status": "inconclusive", "value": None}, "without a reason"),
        ({"status": "not applicable", "reason": "no group", "value": 1.0}, "a value"),
        ({"law": "binomial"}, "tally of 2"),
        ({"law": "controlled", "tally": (1, 2)}, "tally of 4"),
        ({"law": "normal"}, "standard error"),
        ({"law": "test"}, "p-value"),
        ({"value": float("nan")}, "finite"),
        ({"check": "Membership"}, "pattern"),
    ],
)
def test_a_measure_that_says_half_is_refused(wrong: dict[str, object], said: str) -> None:
    right: dict[str, object] = {"check": "membership.nearest", "value": 0.01}
    Measure.model_validate(right)
    with pytest.raises(ValidationError, match=said):
        Measure.model_validate(right | wrong)
