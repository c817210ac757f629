"""What an audit of plain files was not asked, so that nobody takes a pass for more than it is."""

from collections.abc import Sequence
from typing import NamedTuple

from headwater.evidence.measure import Measure
from headwater.release.policy import Decision, Policy

__all__ = ["not_asked", "policy_in_words"]


class _Question(NamedTuple):
    """What is asked only where somebody declared what to look at.

    Attributes:
        check: whose measures all do not apply where it was not asked.
        what: it asks about.
        option: that declares it.
        noun: what is declared.
    """

    check: str
    what: str
    option: str
    noun: str


_QUESTIONS = (
    _Question("usefulness", "usefulness", "--task", "task"),
    _Question("bias.ratio", "bias", "--group", "group"),
    _Question("bias.parity", "whether groups are treated alike", "--task", "task"),
    _Question("inference", "inference of a secret", "--secret", "secret"),
)
_ASIDE = {"G1": "ε", "G2": "ε", "G3": "planted secrets", "G13": "terms of use"}


def not_asked(decision: Decision, measures: Sequence[Measure]) -> str:
    """What the policy asks and this audit did not, with the reasons, as one sentence; empty where all was asked.

    Args:
        decision: of the policy.
        measures: that it judged.
    """
    parts: list[str] = []
    unasked: set[str] = set()
    for question in _QUESTIONS:
        own = [measure for measure in measures if measure.check == question.check]
        if not own or any(measure.status != "not applicable" for measure in own):
            continue
        unasked.add(question.check)
        # Where no group is named, that groups are not compared goes without saying.
        if question.check == "bias.parity" and "bias.ratio" in unasked:
            continue
        undeclared = "declare" in own[0].reason
        why = f"no {question.noun} is named ({question.option})" if undeclared else own[0].reason
        parts.append(f"{question.what}, as {why}")
    aside = [words for gate in decision.gates if gate.outcome == "not applicable" and (words := _ASIDE.get(gate.gate))]
    if aside:
        parts.append(f"{' and '.join(_several(aside))}, as plain files have no plan and no ledger")
    return f"Not asked: {'; '.join(parts)}." if parts else ""


def policy_in_words(policy: Policy, decision: Decision) -> str:
    """The policy by name, with its title only where that holds of what was audited."""
    aside = [gate.gate for gate in decision.gates if gate.outcome == "not applicable" and gate.gate in _ASIDE]
    if not aside:
        return f"{policy.label}: {policy.title}"
    return (
        f"{policy.label}, as far as plain files can be asked: without {', '.join(aside)}, so nothing here says that "
        "the table has differential privacy"
    )


def _several(words: Sequence[str]) -> list[str]:
    """Each once, all but the last joined by commas."""
    distinct = list(dict.fromkeys(words))
    return [", ".join(distinct[:-1]), distinct[-1]] if len(distinct) > 1 else distinct
