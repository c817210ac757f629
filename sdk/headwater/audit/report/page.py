"""What stands on the page, as plain values in the order of reading."""

from dataclasses import dataclass

__all__ = ["CheckPart", "Fact", "FigureLine", "GateLine", "Page", "Picture", "Unseen"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of what was audited.

    Attributes:
        name: what it is.
        value: as text.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class GateLine:
    """What a policy asks, and what came of it.

    Attributes:
        id: of the gate.
        title: a few words.
        question: in one sentence.
        outcome: pass, warn, fail, inconclusive or not applicable.
        reasons: one line each.
    """

    id: str
    title: str
    question: str
    outcome: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One measure as text.

    Attributes:
        name: of the check that measured it.
        subject: of the measure, "all rows" where it is about all.
        value: "–" where there is none.
        interval: with its confidence; "–" where there is none.
        null: what a generator gives that leaks nothing, or a second real sample.
        better: which way is better, in words.
        threshold: what the policy asks; "–" where it asks nothing.
        detectable: the smallest departure that would have been found.
        outcome: what the policy makes of it; empty where it asks nothing.
        reason: why there is no value.
        details: further figures, in a line.
    """

    name: str
    subject: str
    value: str
    interval: str
    null: str
    better: str
    threshold: str
    detectable: str
    outcome: str
    reason: str
    details: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart.

    Attributes:
        svg: an element without script, to stand inside the page.
        title: of the chart.
        caption: what to look for, in a sentence.
        words: what it shows, for those who do not see it.
    """

    svg: str
    title: str
    caption: str
    words: str


@dataclass(frozen=True, slots=True)
class CheckPart:
    """One check with all its figures.

    Attributes:
        name: dotted.
        anchor: of its place on the page.
        title, question, knowledge, statistic, misses, source: as `About` has them.
        outcome: the worst of its figures.
        seconds: CPU time as text.
        figures: its measures.
    """

    name: str
    anchor: str
    title: str
    question: str
    knowledge: str
    statistic: str
    misses: str
    source: str
    outcome: str
    seconds: str
    figures: tuple[FigureLine, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that this audit could not have seen.

    Attributes:
        what: check, or check and subject.
        why: one sentence.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report.

    Attributes:
        title: of the page.
        verdict: pass, pass with warnings, fail or inconclusive.
        headline: the verdict as a sentence.
        words: what it means and what to do, a paragraph each.
        facts: what was audited, how, by what.
        gates: of the policy.
        pictures: charts.
        checks: every check.
        powerless: what had too little power, or no value at all.
        misses: what checks cannot see by their nature.
    """

    title: str
    verdict: str
    headline: str
    words: tuple[str, ...]
    facts: tuple[Fact, ...]
    gates: tuple[GateLine, ...]
    pictures: tuple[Picture, ...]
    checks: tuple[CheckPart, ...]
    powerless: tuple[Unseen, ...]
    misses: tuple[Unseen, ...]
