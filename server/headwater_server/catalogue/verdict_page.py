"""What the gate asked and said of a release, for its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from headwater.errors import HeadwaterError
from headwater.release.audit_check import policy_of
from headwater.release.audit_file import PublishedAudit
from headwater.release.decision_words import UNPROVEN, gate_lines
from headwater.release.layout import AUDIT
from headwater.release.manifest import Manifest
from headwater.release.policy.decision import left_in
from headwater_server.catalogue.index import ReleaseEntry

__all__ = ["AttemptRow", "GateRow", "VerdictView", "WaiverRow", "verdict_of", "verdict_view"]

_TONES = {"pass": "good", "warn": "warn", "fail": "bad", "inconclusive": "warn", "not applicable": "quiet"}
_WORDS = {
    "pass": "passed",
    "warn": "warns",
    "fail": "failed",
    "inconclusive": "not shown",
    "not applicable": "does not apply",
}
_TOLD = 5


@dataclass(frozen=True)
class GateRow:
    """One gate in the table.

    Attributes:
        id: "G0" and so on.
        title: a few words.
        question: what it asks; "" where this software does not know the policy.
        outcome: in words, a waiver said aloud.
        tone: good, warn, bad or quiet: how the outcome is coloured beside its words.
        reasons: what came of it, at most five and how many more there are.
    """

    id: str
    title: str
    question: str
    outcome: str
    tone: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class WaiverRow:
    """A gate that members answer for although it was not passed."""

    gate: str
    title: str
    who: str
    until: str
    reason: str


@dataclass(frozen=True)
class AttemptRow:
    """One candidate that was put before the gate."""

    number: int
    when: str
    verdict: str
    failing: str
    this: bool


@dataclass(frozen=True)
class VerdictView:
    """The verdict of one release in words, with everything behind it.

    Attributes:
        word: for a badge: "Passed", "Passed with warnings", "Not audited".
        tone: good, warn or bad.
        sentences: what it means, in order.
        policy: label and title of the policy, "" where nothing was audited.
        measured: on whose rows.
        gates: one row each; empty where nothing was audited.
        tally: how many gates came to what, in a sentence.
        waivers: that hold.
        attempts: the whole log.
        left: gates that organisations judged for themselves.
    """

    word: str
    tone: str
    sentences: Sequence[str]
    policy: str = ""
    measured: str = ""
    gates: Sequence[GateRow] = ()
    tally: str = ""
    waivers: Sequence[WaiverRow] = ()
    attempts: Sequence[AttemptRow] = ()
    left: Sequence[str] = ()


_NOT_AUDITED = VerdictView(
    word="Not audited",
    tone="bad",
    sentences=(
        "Nobody attacked these rows before they were published, and no gate decided on them.",
        "The coordinator alone signed; no organisation answers for what they may tell about a person.",
    ),
)
_SOURCES = {
    "pooled sums of organisations": "Each organisation counted on its own rows; only sums over all of them were read.",
    "each organisation for itself": "Each organisation audited on its own rows, and no figure of them left it.",
    "one holder of files": "One holder of all rows audited plain files.",
    "one organisation for itself": "One organisation audited on its own rows.",
}


def verdict_view(entry: ReleaseEntry) -> VerdictView:
    """What to show of a release's audit.

    The manifest says which audit.json is meant by its digest, and the signatures say that its decision follows; a page
    repeats it and proves nothing. `headwater verify` proves.
    """
    return _NOT_AUDITED if entry.manifest.protection.audit == "none" else _audited(entry.folder, entry.manifest.digest)


@lru_cache(maxsize=256)
def _audited(folder: Path, digest: str) -> VerdictView:
    del digest
    audit = PublishedAudit.from_bytes((folder / AUDIT).read_bytes())
    decision = audit.decision
    try:
        policy = policy_of(audit)
        questions = {gate.id: gate.question for gate in policy.gates}
        named = f"{policy.label}: {policy.title}"
    except HeadwaterError:
        questions, named = {}, f"{decision.policy.name}-{decision.policy.version}"
    rows = []
    for result, line in zip(decision.gates, gate_lines(decision), strict=True):
        unproven = line.outcome == UNPROVEN
        waived = ", waived" if result.waived else ""
        more = len(result.reasons) - _TOLD
        rows.append(
            GateRow(
                id=result.gate,
                title=result.title,
                question=questions.get(result.gate, ""),
                outcome="passed, unproven" if unproven else f"{_WORDS[result.outcome]}{waived}",
                tone="warn" if unproven else _TONES[result.outcome],
                reasons=(*result.reasons[:_TOLD], *((f"and {more} more, in audit.json",) if more > 0 else ())),
            )
        )
    return VerdictView(
        word="Passed" if decision.verdict == "pass" else "Passed with warnings",
        tone="good" if decision.verdict == "pass" else "warn",
        sentences=_sentences(audit),
        policy=named,
        measured=_SOURCES[audit.source],
        gates=rows,
        tally=_tally(rows),
        waivers=_waivers(audit),
        attempts=_attempts(audit),
        left=left_in(decision),
    )


def _sentences(audit: PublishedAudit) -> Sequence[str]:
    decision = audit.decision
    names = {result.gate: f"{result.title.lower()} ({result.gate})" for result in decision.gates}
    warned = [names[result.gate] for result in decision.gates if result.outcome == "warn"]
    waived = [names[result.gate] for result in decision.gates if result.waived]
    count = len(audit.attempts)
    tried = "This was the first candidate." if count == 1 else f"This was candidate {count} of its plan; all are below."
    return (
        "These rows were attacked before they were published, and a gate decided on what the attacks found.",
        *([f"Warned: {_listed(warned)}."] if warned else []),
        *([f"Not passed, and waived by two organisations: {_listed(waived)}."] if waived else []),
        tried,
        "An audit finds the leaks that it looks for, in the rows that it has; it bounds nothing.",
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


_TALLY = {
    "passed": "passed",
    "passed, unproven": "passed by checks that the self-test does not vouch for",
    "warns": "warned",
    "not shown, waived": "could not be shown and were waived",
    "failed, waived": "failed and were waived",
    "warns, waived": "warned and were waived",
    "does not apply": "had nothing to ask",
}


def _tally(rows: Sequence[GateRow]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.outcome] = counts.get(row.outcome, 0) + 1
    order = [outcome for outcome in _TALLY if outcome in counts] + [each for each in counts if each not in _TALLY]
    return f"Of {len(rows)} gates, {_listed([f'{counts[each]} {_TALLY.get(each, each)}' for each in order])}."


def _waivers(audit: PublishedAudit) -> Sequence[WaiverRow]:
    rows = []
    for signed in audit.waivers:
        waiver = signed.waiver
        result = audit.decision.result(waiver.gate)
        refused = any(f"the waiver of {waiver.gate} " in line for line in audit.decision.refused_waivers)
        if result is not None and result.waived and not refused:
            who = _listed(signed.approvers)
            rows.append(WaiverRow(waiver.gate, result.title, who, waiver.expires[:10], waiver.reason))
    return rows


def _attempts(audit: PublishedAudit) -> Sequence[AttemptRow]:
    return [
        AttemptRow(
            number=attempt.number,
            when=attempt.when,
            verdict=attempt.verdict,
            failing=", ".join(attempt.failing),
            this=attempt is audit.attempts[-1],
        )
        for attempt in audit.attempts
    ]


def verdict_of(manifest: Manifest) -> str:
    """The verdict in one or three words, by the manifest alone."""
    audit = manifest.protection.audit
    return "not audited" if audit == "none" else f"{audit.verdict}, policy {audit.policy.name}-{audit.policy.version}"
