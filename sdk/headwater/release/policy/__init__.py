"""Policies: which figures a release must reach, as data, and the pure gate that holds evidence to them."""

from headwater.release.policy.decision import Decision, Finding, GateResult, Outcome
from headwater.release.policy.document import Gate, Policy, Rule
from headwater.release.policy.gate import decide
from headwater.release.policy.reading import load_policy, policy_names
from headwater.release.verdict import Verdict

__all__ = [
    "Decision",
    "Finding",
    "Gate",
    "GateResult",
    "Outcome",
    "Policy",
    "Rule",
    "Verdict",
    "decide",
    "load_policy",
    "policy_names",
]
