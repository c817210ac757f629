"""When this organisation takes part, and what its words to a person say."""

from datetime import UTC, datetime

import pytest

from headwater.agreement.charter import SignedCharter
from headwater.agreement.succession import CharterHistory
from headwater.agreement.troubles import Trouble, trouble_in_words
from headwater.flower_bundle import bundle_sha256
from headwater.schema import Schema
from headwater_client.consent import Refusal, refusal_of, sign_decision
from headwater_client.policy import DEFAULT_POLICY_TOML, Policy
from headwater_client.store import StoredDecision
from headwater_client.wording import (
    column_in_words,
    comparison_advice,
    digest_in_groups,
    member_keys_in_words,
    plan_in_words,
)
from support.consortium import ConsortiumInMemory
from support.pictures import PICTURES
from support.private import private_plan
from support.succession import following, signed_by

STRICT = {"on_membership_change": "strict"}
CONSORTIUM = ConsortiumInMemory()
POLICY = Policy.from_toml(DEFAULT_POLICY_TOML)
STUB = bundle_sha256()


def decided(decision: str = "approve", **plan: object) -> StoredDecision:
    proposal = CONSORTIUM.proposal(CONSORTIUM.plan(**plan))
    return StoredDecision(proposal, CONSORTIUM.approval(proposal, decision=decision), by_rule=False)


def reasons(
    decision: StoredDecision | None, charter: SignedCharter | None, policy: Policy = POLICY, stub: str = STUB
) -> tuple[str, ...]:
    """Refusals under a charter that is in force if all its members signed it."""
    in_force = None if charter is None or charter.missing_signatures else CharterHistory((charter,))
    return (refusal_of(decision, charter, in_force, policy, stub, "org-1", ()) or Refusal(())).reasons


def test_an_approved_run_under_a_complete_charter_has_no_refusal() -> None:
    assert reasons(decided(), CONSORTIUM.signed_charter()) == ()


def test_a_run_goes_on_under_the_version_that_it_was_proposed_under() -> None:
    first = CONSORTIUM.signed_charter()
    second = signed_by(
        following(first.charter, minimum_cohort=3, colluders=1, consortium="Renamed"),
        CONSORTIUM.coordinator_key,
        CONSORTIUM.keys,
    )
    history = CharterHistory((first, second))
    assert refusal_of(decided(), second, history, POLICY, STUB, "org-1", ()) is None


def test_each_condition_alone_keeps_the_organisation_out() -> None:
    charter = CONSORTIUM.signed_charter()
    strict = POLICY.model_copy(update={"maximum_rounds": 1})
    cases = [
        (reasons(decided(), None), "no charter"),
        (reasons(decided(), CONSORTIUM.signed_charter(without=("org-2",))), "not signed by org-2"),
        (reasons(None, charter), "nobody here has approved"),
        (reasons(decided("refuse"), charter), "refused this run"),
        (reasons(decided(), charter, strict, STUB), "rounds"),
        (reasons(decided(), CONSORTIUM.signed_charter(consortium="Other")), "another charter"),
        (reasons(decided(), charter, POLICY, "00" * 32), "another version"),
        (reasons(decided(stub_sha256="00" * 32), charter), "another version"),
    ]
    for found, said in cases:
        assert len(found) == 1
        assert said in found[0]


def test_the_operator_is_told_of_the_privacy_limit_where_nothing_else_is_in_the_way() -> None:
    charter = CONSORTIUM.signed_charter()
    private = decided(recipe={"kind": "marginals"}, privacy={"epsilon": 2.0, "most_rows": 1000})

    def told(decision: StoredDecision, stub: str = STUB, **policy: object) -> Trouble:
        own = POLICY.model_copy(update=policy)
        refusal = refusal_of(decision, charter, CharterHistory((charter,)), own, stub, "org-1", ())
        assert refusal is not None
        return refusal.trouble

    assert told(private, maximum_epsilon=1.0) is Trouble.LIMIT_REACHED
    assert told(private, maximum_epsilon=1.0, maximum_rounds=1) is Trouble.NOT_AGREED
    assert told(private, "00" * 32, maximum_epsilon=1.0) is Trouble.NOT_AGREED
    assert told(decided(), maximum_epsilon=1.0) is Trouble.NOT_AGREED
    assert trouble_in_words(Trouble.LIMIT_REACHED).startswith("its privacy limit is reached")


def test_a_plan_under_a_budget_says_how_many_aborted_sums_it_pays_for() -> None:
    def rounds(retries: int) -> str:
        budget = {"epsilon": 2.0, "most_rows": 1000, "retries": retries}
        plan = CONSORTIUM.plan(recipe={"kind": "marginals"}, privacy=budget)
        return dict(plan_in_words(plan, CONSORTIUM.charter()))["rounds"]

    assert rounds(0) == "at most 3 secure sums; repeats: 0 paid for; the first aborted sum ends the run"
    assert rounds(2) == "at most 5 secure sums; repeats: 2 paid for; one aborted sum more ends the run"
    without = CONSORTIUM.plan()
    assert dict(plan_in_words(without, CONSORTIUM.charter()))["rounds"] == (
        f"at most {without.maximum_rounds} secure sums, {without.aggregation.retries} repeated ones among them"
    )


def test_a_decision_is_signed_over_run_and_plan() -> None:
    proposal = CONSORTIUM.proposal()
    now = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
    signed = sign_decision(proposal, "org-2", CONSORTIUM.keys["org-2"], approve=False, reason="no", now=now)
    signed.verify(CONSORTIUM.charter(), proposal.proposal)
    assert (signed.approval.decision, signed.approval.created) == ("refuse", "2026-11-21T09:30:15Z")


def test_the_plan_says_aloud_what_it_does_not_protect() -> None:
    words = dict(plan_in_words(CONSORTIUM.plan(), CONSORTIUM.charter()))
    assert words["privacy"].startswith("none — this run is NOT DIFFERENTIALLY PRIVATE")
    assert "no protection against differencing" in words["when one drops out"]
    assert "age, ward, returned" in words["columns"]
    strict = dict(plan_in_words(CONSORTIUM.plan(aggregation=STRICT), CONSORTIUM.charter()))
    assert "refuses a sum over others" in strict["when one drops out"]
    assert "no protection" not in strict["when one drops out"]
    assert words["to be predicted"] == "returned"
    assert digest_in_groups(CONSORTIUM.plan().digest) in words["plan"]


def test_a_person_reads_what_will_be_audited() -> None:
    assert dict(plan_in_words(CONSORTIUM.plan(), CONSORTIUM.charter()))["audit"].startswith("none")
    words = dict(plan_in_words(CONSORTIUM.plan(audit={"policy": "non-private"}), CONSORTIUM.charter()))
    assert words["audit"].startswith("policy non-private")
    assert "kept aside for the audit" in words["your rows"]


def test_a_plan_with_a_budget_promises_no_true_number_of_rows() -> None:
    words = dict(plan_in_words(CONSORTIUM.plan(), CONSORTIUM.charter()))
    assert words["result"] == "as many synthetic rows as the organisations have training rows"
    private = dict(plan_in_words(private_plan(), CONSORTIUM.charter()))
    assert "kept aside for audits" in private["your rows"]
    assert private["result"] == "as many synthetic rows as the noisy counts estimate"


def test_the_cohort_in_words_is_the_stricter_one() -> None:
    words = dict(plan_in_words(CONSORTIUM.plan(), ConsortiumInMemory(6).charter(minimum_cohort=6)))
    assert "at least 6 organisations" in words["who sees what"]


@pytest.mark.parametrize("kind", ["hybrid", "marginals", "adversarial"])
def test_every_recipe_has_words(kind: str) -> None:
    words = dict(plan_in_words(CONSORTIUM.plan(recipe={"kind": kind}), CONSORTIUM.charter()))
    assert ("clipped" in words["training here"]) == (kind != "marginals")
    assert ("at most 3 steps" in words["after a sick round"]) == (kind != "marginals")
    assert "{" not in " ".join(words.values())


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({}, "at most 97 rounds in which each sums what its rows say of a mixture of distributions, then 6 rounds in"),
        ({"rounds": 0}, "of a mixture of distributions; no network is trained here"),
        ({"base": "marginals"}, "counts over all organisations, then 6 rounds in which each trains on its own rows"),
        ({"kind": "adversarial"}, "24 rounds in which each trains a network from scratch on its own rows; at the end"),
        ({"kind": "adversarial", "adversarial": {"calibration": 0}}, "from scratch on its own rows"),
    ],
)
def test_the_plan_names_every_kind_of_round_that_rows_go_into(recipe: dict[str, object], said: str) -> None:
    does = dict(plan_in_words(CONSORTIUM.plan(recipe=recipe), CONSORTIUM.charter()))["what it does"]
    assert said in does
    assert ("fits it to the counts" in does) == (recipe == {"kind": "adversarial"})


def test_a_plan_over_pictures_tells_of_the_network_that_is_trained_on_them() -> None:
    plan = CONSORTIUM.plan(schema=PICTURES, recipe={"kind": "adversarial"})
    words, settings = dict(plan_in_words(plan, CONSORTIUM.charter())), plan.recipe.images.convolution
    assert words["what it does"].startswith("sums of pixels and of their products, then counts over all")
    assert f"{settings.rounds} rounds in which each trains a network of pictures from scratch" in words["what it does"]
    assert words["training here"].startswith(f"{settings.local_steps} steps of {settings.batch} rows a round")
    assert words["after a sick round"] == "nothing changes"


def test_keys_come_in_groups_and_name_every_party() -> None:
    rows = member_keys_in_words(CONSORTIUM.charter())
    assert [row[0] for row in rows] == ["coordinator", "org-1", "org-2", "org-3"]
    for _, _, key in rows:
        assert [len(group) for group in key.split()] == [4] * 16


def test_the_advice_names_the_others_and_a_channel_of_their_own() -> None:
    advice = " ".join(comparison_advice(CONSORTIUM.charter(), "org-1"))
    assert "ORG-2" in advice
    assert "ORG-3" in advice
    assert "ORG-1" not in advice
    assert "telephone" in advice


def test_columns_in_words() -> None:
    schema = Schema.from_document(
        {
            "name": "t",
            "columns": [
                {"name": "a", "kind": "numeric", "lower": 0, "upper": 9, "integer": True, "missing": True},
                {"name": "b", "kind": "numeric", "lower": -0.5, "upper": 2},
                {"name": "b2", "kind": "numeric", "lower": 0, "upper": 1.5, "decimals": 2},
                {"name": "c", "kind": "date", "lower": "2020-01-01", "upper": "2020-12-31"},
                {"name": "d", "kind": "boolean", "true": "yes", "false": "no"},
                {"name": "e", "kind": "categorical", "categories": ["x", "y"]},
            ],
        }
    )
    assert [column_in_words(column) for column in schema.columns] == [
        "whole number from 0 to 9, may be missing",
        "number from -0.5 to 2",
        "number from 0 to 1.5 with 2 decimals at most",
        "date from 2020-01-01 to 2020-12-31",
        "one of no, yes",
        "one of x, y",
    ]
