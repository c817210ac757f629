"""The organisation's own rules: every reason listed, nothing approved unless it was switched on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater_client.policy import DEFAULT_POLICY_TOML, Policy, decide
from support.consortium import ConsortiumInMemory

CONSORTIUM = ConsortiumInMemory()
CHARTER = CONSORTIUM.charter()
DEFAULT = Policy.from_toml(DEFAULT_POLICY_TOML)


def with_rule(text: str) -> Policy:
    return Policy.from_toml(DEFAULT_POLICY_TOML.replace("enabled = false", text))


def test_the_default_policy_allows_an_ordinary_plan_and_asks_a_person() -> None:
    decision = decide(DEFAULT, CONSORTIUM.plan(), CHARTER, ())
    assert decision.allowed
    assert not decision.approved_by_rule
    assert decision.person_needed == ("no standing approval is enabled in policy.toml",)


def test_all_reasons_are_listed_at_once() -> None:
    policy = Policy(maximum_rounds=2, minimum_cohort=4, allowed_columns=("age",), required_members=("org-9",))
    decision = decide(policy, CONSORTIUM.plan(), CONSORTIUM.charter(colluders=2), ())
    reasons = " / ".join(decision.problems)
    assert len(decision.problems) == 5
    for part in ("12 rounds", "minimum cohort is 3", "ward, returned", "colluding", "'org-9'"):
        assert part in reasons
    assert not decision.allowed


def test_retries_count_as_rounds() -> None:
    plan = CONSORTIUM.plan()
    policy = DEFAULT.model_copy(update={"maximum_rounds": plan.recipe.maximum_rounds})
    assert plan.aggregation.retries > 0
    assert not decide(policy, plan, CHARTER, ()).allowed


def test_a_plan_below_the_charters_cohort_is_refused() -> None:
    decision = decide(DEFAULT, CONSORTIUM.plan(), ConsortiumInMemory(5).charter(minimum_cohort=5), ())
    assert decision.problems == ("the plan's minimum cohort is 3, the charter asks for 5",)


def test_a_standing_rule_approves_what_is_inside_its_limits() -> None:
    policy = with_rule('enabled = true\nmaximum_rounds = 20\nminimum_cohort = 3\nallowed_columns = "all"')
    assert decide(policy, CONSORTIUM.plan(), CHARTER, ()).approved_by_rule


@pytest.mark.parametrize(
    "limits",
    [
        'maximum_rounds = 3\nminimum_cohort = 3\nallowed_columns = "all"',
        'maximum_rounds = 20\nminimum_cohort = 4\nallowed_columns = "all"',
        'maximum_rounds = 20\nminimum_cohort = 3\nallowed_columns = ["age", "ward"]',
    ],
)
def test_a_plan_outside_one_limit_of_the_rule_needs_a_person(limits: str) -> None:
    decision = decide(with_rule(f"enabled = true\n{limits}"), CONSORTIUM.plan(), CHARTER, ())
    assert decision.allowed
    assert not decision.approved_by_rule
    assert len(decision.person_needed) == 1


@pytest.mark.parametrize(
    "text",
    [
        "enabled = true",
        'enabled = true\nmaximum_rounds = 20\nallowed_columns = "all"',
        "enabled = true\nmaximum_rounds = 20\nminimum_cohort = 3",
    ],
)
def test_a_standing_rule_without_every_limit_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="there is no default"):
        with_rule(text)


def test_limits_without_the_switch_approve_nothing() -> None:
    policy = with_rule('maximum_rounds = 20\nminimum_cohort = 3\nallowed_columns = "all"')
    assert not decide(policy, CONSORTIUM.plan(), CHARTER, ()).approved_by_rule


@given(maximum=st.integers(1, 30), cohort=st.integers(3, 6))
def test_a_rule_never_approves_what_the_policy_refuses(maximum: int, cohort: int) -> None:
    rule = {"enabled": True, "maximum_rounds": 1000, "minimum_cohort": 3, "allowed_columns": "all"}
    policy = Policy.model_validate(
        {"maximum_rounds": maximum, "minimum_cohort": cohort, "allowed_columns": "all", "standing_approval": rule}
    )
    decision = decide(policy, CONSORTIUM.plan(), CHARTER, ())
    assert decision.approved_by_rule == (maximum >= CONSORTIUM.plan().maximum_rounds and cohort <= 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("maximum_rounds = [", "not TOML"),
        (DEFAULT_POLICY_TOML + "\nsurprise = 1\n", "surprise"),
        (DEFAULT_POLICY_TOML.replace("minimum_cohort = 3", "minimum_cohort = 2"), "minimum_cohort"),
        ("version = 1\n", "maximum_rounds"),
        # true would be read as a limit of 1.
        (DEFAULT_POLICY_TOML.replace("# maximum_epsilon = 3.0", "maximum_epsilon = true"), "maximum_epsilon"),
        (DEFAULT_POLICY_TOML.replace("delta = 1e-6", 'delta = "1e-6"'), "delta"),
        (DEFAULT_POLICY_TOML.replace("disjoint_data_sets = false", 'disjoint_data_sets = "yes"'), "disjoint_data_sets"),
    ],
)
def test_a_bad_policy_file_is_one_line_that_names_the_entry(text: str, said: str) -> None:
    with pytest.raises(InputError, match=r"policy\.toml") as refusal:
        Policy.from_toml(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize("delta", ["0.1", "0.5", "0.99", "1e-300", "0.0", "nan", "2e-3", "1e-13"])
def test_a_delta_that_switches_the_limit_off_is_one_clear_line(delta: str) -> None:
    with pytest.raises(InputError) as caught:
        Policy.from_toml(DEFAULT_POLICY_TOML.replace("delta = 1e-6", f"maximum_epsilon = 3.0\ndelta = {delta}"))
    said = str(caught.value)
    assert f"delta: δ is {float(delta):g}, expected a number from 1e-12 to 0.001" in said
    assert "Value error" not in said
    assert "\n" not in said


@pytest.mark.parametrize("delta", ["1e-12", "1e-3"])
def test_the_ends_of_the_range_of_delta_are_in_it(delta: str) -> None:
    assert Policy.from_toml(DEFAULT_POLICY_TOML.replace("delta = 1e-6", f"delta = {delta}")).delta == float(delta)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1\n", "maximum_rounds: this entry is missing; write it (and 2 more)"),
        (DEFAULT_POLICY_TOML.replace("delta = ", "detla = "), "detla: there is no such entry; correct its name or"),
    ],
)
def test_what_is_missing_or_misspelt_is_said_in_plain_words(text: str, said: str) -> None:
    with pytest.raises(InputError, match=r"policy\.toml is not valid: ") as caught:
        Policy.from_toml(text)
    assert said in str(caught.value)
