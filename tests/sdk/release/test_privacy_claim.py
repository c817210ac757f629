"""A claim that does not hold together is not read, whatever signature it is under."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from headwater.privacy.budget import Budget
from headwater.release.manifest import Protection
from headwater.release.privacy_claim import PrivacyClaim
from support.claims import BUDGET, charged, make_claim

CLAIM = make_claim()
FIRST: dict[str, Any] = json.loads(CLAIM.to_bytes())["events"][0]


def spoilt(**changes: object) -> dict[str, Any]:
    return {**json.loads(CLAIM.to_bytes()), **changes}


def test_a_claim_survives_its_own_bytes() -> None:
    assert PrivacyClaim.from_bytes(CLAIM.to_bytes()) == CLAIM
    assert CLAIM.epsilon == 0.9995
    assert hash(CLAIM) == hash(PrivacyClaim.from_bytes(CLAIM.to_bytes()))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"events": []}, "events"),
        ({"events": [{**FIRST, "event": {**FIRST["event"], "variance": 0}}]}, "variance 0"),
        ({"events": [{**FIRST, "event": {**FIRST["event"], "kind": "none"}}]}, "no event of noisy counts"),
        ({"events": [{**FIRST, "event": None}]}, "an event is an object"),
        ({"events": [{**FIRST, "completed": False}]}, "no round came to a sum"),
        ({"events": [FIRST, FIRST]}, "each once"),
        ({"events": [{**FIRST, "event": {**FIRST["event"], "records": 2}}]}, "not for units of 1 records"),
        ({"records": 2, "unit": "entity"}, "not for units of 2 records"),
        ({"records": 2}, "a unit of one record"),
        ({"epsilon": 0}, "greater than 0"),
        ({"epsilon": 0.8}, "less than the events can have cost"),
        ({"budget_epsilon": 0.9}, "the plan allowed 0.9"),
        ({"budget_epsilon": 21.0}, "epsilon"),
        ({"delta": 1e-4}, "must be below 1 / most_rows"),
        ({"delta": 0.0}, "delta"),
        ({"neighbours": "replace one"}, "neighbours"),
        ({"public": ["plan"]}, "public is plan, expected bounds and categories"),
        ({"accountant": ""}, "accountant"),
        ({"more": 1}, "more"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PrivacyClaim.model_validate(spoilt(**changes))


@pytest.mark.parametrize("key", sorted(json.loads(CLAIM.to_bytes())))
def test_nothing_of_a_claim_may_be_left_unsaid(key: str) -> None:
    document = spoilt()
    del document[key]
    with pytest.raises(ValidationError, match="Field required"):
        PrivacyClaim.model_validate(document)


def test_rounds_that_cost_more_than_the_budget_make_no_claim() -> None:
    again = [*CLAIM.events, charged(4, "pairs", 2168, 91, completed=False)]
    with pytest.raises(ValidationError, match="the plan allowed 1"):
        PrivacyClaim.of(BUDGET, again, accountant="a", schema_confirmed=True)


def test_an_aborted_round_costs_what_a_completed_one_does() -> None:
    budget = BUDGET.model_copy(update={"epsilon": 2.0})
    claims = [
        PrivacyClaim.of(
            budget,
            [*CLAIM.events, charged(4, "columns", 2680, 15, completed=completed)],
            accountant="a",
            schema_confirmed=True,
        )
        for completed in (True, False)
    ]
    assert claims[0].epsilon == claims[1].epsilon > CLAIM.epsilon
    assert (claims[0].aborted, claims[1].aborted) == (0, 1)


def test_rounding_up_does_not_carry_epsilon_over_a_budget_with_more_digits() -> None:
    budget = Budget(epsilon=0.999639)
    assert PrivacyClaim.of(budget, CLAIM.events, accountant="a", schema_confirmed=True).epsilon == 0.9995


@pytest.mark.parametrize(
    ("privacy", "saw"),
    [("none", "noisy sums"), (CLAIM, "exact sums")],
)
def test_a_manifest_cannot_say_noise_without_a_claim_nor_a_claim_without_noise(privacy: object, saw: str) -> None:
    with pytest.raises(ValidationError, match="noisy sums"):
        Protection.model_validate({"privacy": privacy, "differencing": "unprotected", "coordinator_saw": saw})


def test_protection_has_no_default_for_privacy() -> None:
    with pytest.raises(ValidationError, match="privacy"):
        Protection.model_validate({"differencing": "unprotected", "coordinator_saw": "exact sums"})
