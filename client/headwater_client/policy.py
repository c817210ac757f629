"""The organisation's own rules: which plans may run here at all, and which without asking a person."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headwater.agreement.charter import Charter
from headwater.agreement.documents import first_problem
from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.budget import Delta
from headwater.privacy.events import Event
from headwater_client.budget import DEFAULT_DELTA, OwnLimit, plan_problems

__all__ = ["DEFAULT_POLICY_TOML", "Decision", "Policy", "StandingApproval", "decide"]

DEFAULT_POLICY_TOML = """\
# What this organisation takes part in. A plan outside these rules is refused, whoever approved it.
version = 1

# Most secure sums in one run, retries included.
maximum_rounds = 120

# Fewest organisations in any sum; the charter and the plan may ask for more, never for fewer.
minimum_cohort = 3

# Columns that may take part: "all", or a list such as ["age", "diagnosis"].
allowed_columns = "all"

# Members without whom this organisation takes no part, by id.
required_members = []

# What all runs may cost each of your records, together: the largest ε that the privacy ledger may come to, at this δ
# and over all your data sets (headwater-org ledger show). It counts records: a person with k of them has k times this
# ε or more, unless plans protect persons. Without maximum_epsilon there is no limit
# beyond the plans you approve. delta is from 1e-12 to 1e-3, and below one in the number of your records: at a larger
# one every ε looks small.
# maximum_epsilon = 3.0
delta = 1e-6

# Set to true only if nobody is in two of your data sets: maximum_epsilon then holds for each of them by itself.
disjoint_data_sets = false

# Whether runs without differential privacy, which no ε bounds, are let through; true while there is no
# maximum_epsilon, false with one, unless you say it.
# non_private_runs = true

# A standing rule approves a run without a person. It is off; to turn it on, set enabled = true and give every limit:
# maximum_rounds, minimum_cohort and allowed_columns.
[standing_approval]
enabled = false
"""


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StandingApproval(_Rules):
    """Which plans are approved without a person: none, unless enabled with every limit spelled out."""

    enabled: bool = False
    maximum_rounds: int | None = Field(default=None, ge=1)
    minimum_cohort: int | None = Field(default=None, ge=3)
    allowed_columns: Literal["all"] | tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and None in (self.maximum_rounds, self.minimum_cohort, self.allowed_columns):
            raise ValueError("enabled needs maximum_rounds, minimum_cohort and allowed_columns: there is no default")
        return self


class Policy(_Rules):
    """The content of policy.toml.

    Attributes:
        maximum_rounds: most secure sums in one run, retries included.
        minimum_cohort: fewest organisations in any sum.
        allowed_columns: "all", or the columns that may take part.
        required_members: ids of members without whom this organisation takes no part (protocol 1.2).
        maximum_epsilon: most that all runs here may come to together; None for no limit of its own.
        delta: at which ε is read off the ledger; in the range of plans, for at a larger one no ε is left to limit.
        non_private_runs: whether runs without differential privacy are let through; None means so while there is no
            `maximum_epsilon`.
        disjoint_data_sets: nobody is in two of the organisation's data sets, which `maximum_epsilon` then bounds apart.
        standing_approval: the rule for runs that no person looks at.
    """

    version: Literal[1] = 1
    maximum_rounds: int = Field(ge=1)
    minimum_cohort: int = Field(ge=3)
    allowed_columns: Literal["all"] | tuple[str, ...]
    required_members: tuple[str, ...] = ()
    maximum_epsilon: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=True)
    delta: Delta = DEFAULT_DELTA
    non_private_runs: bool | None = Field(default=None, strict=True)
    disjoint_data_sets: bool = Field(default=False, strict=True)
    standing_approval: StandingApproval = StandingApproval()

    @property
    def limit(self) -> OwnLimit:
        """What the ledger is held to."""
        lets_through = self.maximum_epsilon is None if self.non_private_runs is None else self.non_private_runs
        return OwnLimit(self.maximum_epsilon, self.delta, lets_through, self.disjoint_data_sets)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read policy.toml.

        Raises:
            InputError: not TOML, or not a policy.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"policy.toml is not TOML: {error}") from error
        except ValidationError as error:
            raise InputError(f"policy.toml is not valid: {first_problem(error)}") from error


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says about a plan.

    Attributes:
        problems: why the plan may not run here, one line each; empty when it may.
        person_needed: why the standing rule does not approve it, one line each; empty when it does.
        over_limit: the organisation's own limit on ε is among the problems.
    """

    problems: tuple[str, ...]
    person_needed: tuple[str, ...]
    over_limit: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the plan may run here once somebody, or the standing rule, approved it."""
        return not self.problems

    @property
    def approved_by_rule(self) -> bool:
        """Whether the standing rule approves it without a person."""
        return not self.problems and not self.person_needed


def decide(policy: Policy, plan: Plan, charter: Charter, charged: Sequence[Event]) -> Decision:
    """Weigh a plan against the organisation's own rules; every reason is listed, not the first alone.

    Args:
        policy: the organisation's rules.
        plan: what is proposed.
        charter: the charter that the organisation accepted.
        charged: what all other runs charged that counts together with it.
    """
    problems = _limit_problems(
        plan, policy.maximum_rounds, policy.minimum_cohort, policy.allowed_columns, "this organisation's policy"
    )
    if plan.aggregation.minimum_cohort < charter.minimum_cohort:
        problems.append(
            f"the plan's minimum cohort is {plan.aggregation.minimum_cohort}, "
            f"the charter asks for {charter.minimum_cohort}"
        )
    if plan.aggregation.colluders < charter.colluders:
        problems.append(
            f"the plan allows for {plan.aggregation.colluders} colluding members, the charter for {charter.colluders}"
        )
    members = {member.id for member in charter.members}
    problems.extend(
        f"{member_id!r} must take part by this organisation's policy and is not in the charter"
        for member_id in policy.required_members
        if member_id not in members
    )
    of_limit = plan_problems(plan, charged, policy.limit)
    problems.extend(of_limit)
    over_limit = plan.privacy != "none" and bool(of_limit)
    return Decision(tuple(problems), tuple(_reasons_for_a_person(policy, plan)), over_limit)


def _reasons_for_a_person(policy: Policy, plan: Plan) -> list[str]:
    rule = policy.standing_approval
    limits = (rule.maximum_rounds, rule.minimum_cohort, rule.allowed_columns)
    if not rule.enabled or limits[0] is None or limits[1] is None or limits[2] is None:
        return ["no standing approval is enabled in policy.toml"]
    reasons = _limit_problems(plan, limits[0], limits[1], limits[2], "the standing approval")
    if plan.release.generator != "kept":
        # What is out cannot be taken back: no rule written before it answers for it.
        reasons.append(f"the plan lets its generator be {plan.release.generator}, which a person decides on")
    if plan.privacy != "none" and policy.maximum_epsilon is None:
        reasons.append(
            "the plan spends a privacy budget, and policy.toml sets no maximum_epsilon for the rule to hold to"
        )
    return reasons


def _limit_problems(
    plan: Plan, maximum_rounds: int, minimum_cohort: int, allowed: Literal["all"] | tuple[str, ...], who: str
) -> list[str]:
    problems: list[str] = []
    if plan.maximum_rounds > maximum_rounds:
        problems.append(f"the plan may ask for {plan.maximum_rounds} rounds, {who} allows {maximum_rounds}")
    if plan.aggregation.minimum_cohort < minimum_cohort:
        problems.append(
            f"the plan's minimum cohort is {plan.aggregation.minimum_cohort}, {who} asks for {minimum_cohort}"
        )
    if allowed != "all":
        others = [name for name in plan.schema_.names if name not in allowed]
        if others:
            problems.append(f"the plan uses columns that {who} does not allow: {', '.join(others)}")
    return problems
