"""Figures and what a policy made of them become the parts of the page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headwater.audit.report.charts import pictures_of
from headwater.audit.report.page import CheckPart, Fact, FigureLine, GateLine, Page, Unseen
from headwater.evidence.check import About
from headwater.evidence.measure import Measure

__all__ = ["Judgement", "Threshold", "build_page", "number"]

_WORST = ("fail", "inconclusive", "warn", "pass", "not applicable", "")
_BETTER = {"lower": "less is better", "higher": "more is better", "null": "nearer to the null is better"}
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a policy asks of a value.

    Attributes:
        bad: the side that breaks the rule; "chance": a value too unlikely under its null.
        at: the threshold; None for chance.
        upper: the other end, of "outside".
        by: "value", "interval" or "proof": what must be on the good side.
    """

    bad: Literal["above", "below", "outside", "chance"]
    at: float | None = None
    upper: float | None = None
    by: Literal["value", "interval", "proof"] = "value"

    def in_words(self) -> str:
        """In a few words, as a table shows it."""
        how = {"value": "", "interval": ", with its interval", "proof": " beyond doubt"}[self.by]
        match self.bad:
            case "chance":
                return "not less likely than chance allows"
            case "outside":
                return f"not outside {number(self.at)} to {number(self.upper)}{how}"
            case side:
                return f"not {side} {number(self.at)}{how}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy made of the figures, by their names.

    Attributes:
        outcomes: of measures by `Measure.name`: pass, warn, fail, inconclusive or not applicable; the worst of its
            rules.
        thresholds: what was asked of measures, by `Measure.name`.
    """

    outcomes: Mapping[str, str]
    thresholds: Mapping[str, Sequence[Threshold]]


def build_page(
    *,
    title: str,
    verdict: str,
    headline: str,
    words: Sequence[str],
    facts: Sequence[Fact],
    gates: Sequence[GateLine],
    measures: Sequence[Measure],
    abouts: Mapping[str, About],
    seconds: Mapping[str, float],
    judgement: Judgement,
) -> Page:
    """Put the page together.

    Args:
        title: of the page.
        verdict: of the policy.
        headline: the verdict as a sentence.
        words: what it means and what to do, a paragraph each.
        facts: what was audited.
        gates: of the policy.
        measures: all figures.
        abouts: what each check is, by its name.
        seconds: CPU seconds by a check's name.
        judgement: what the policy made of the figures.
    """
    return Page(
        title=title,
        verdict=verdict,
        headline=headline,
        words=tuple(words),
        facts=tuple(facts),
        gates=tuple(gates),
        pictures=pictures_of(
            measures, {name: [(each.at, each.upper) for each in found] for name, found in judgement.thresholds.items()}
        ),
        checks=tuple(
            _check(name, about, measures, abouts, seconds.get(name), judgement) for name, about in abouts.items()
        ),
        powerless=tuple(
            Unseen(measure.name, _without_value(measure)) for measure in measures if measure.status == "inconclusive"
        ),
        misses=tuple(Unseen(about.title, about.misses) for about in abouts.values()),
    )


def number(value: float | None) -> str:
    """A figure for people: three digits that say something, no exponent where none is needed."""
    if value is None:
        return _NONE
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def _check(
    name: str,
    about: About,
    measures: Sequence[Measure],
    abouts: Mapping[str, About],
    seconds: float | None,
    judgement: Judgement,
) -> CheckPart:
    own = [measure for measure in measures if _owner(measure.check, abouts) == name]
    figures = tuple(_figure(measure, judgement) for measure in own)
    outcomes = [figure.outcome for figure in figures]
    return CheckPart(
        name=name,
        anchor=re.sub(r"[^a-z0-9]+", "-", name),
        title=about.title,
        question=about.question,
        knowledge=about.knowledge,
        statistic=about.statistic,
        misses=about.misses,
        source=about.source,
        outcome=min(outcomes, key=_WORST.index, default=""),
        seconds=_NONE if seconds is None else f"{seconds:.1f} s",
        figures=figures,
    )


def _owner(measured: str, abouts: Mapping[str, About]) -> str | None:
    """The check that a measure's name begins with; the longest where several do."""
    begins = [name for name in abouts if measured == name or measured.startswith((name + ".", name + "-"))]
    return max(begins, key=len, default=None)


def _figure(measure: Measure, judgement: Judgement) -> FigureLine:
    interval = _NONE
    if measure.low is not None and measure.high is not None:
        interval = f"{number(measure.low)} to {number(measure.high)} ({measure.confidence:.0%})"
    asked = [threshold.in_words() for threshold in judgement.thresholds.get(measure.name, ())]
    return FigureLine(
        name=measure.check,
        subject=measure.subject or "all rows",
        value=number(measure.value),
        interval=interval,
        null=number(measure.null),
        better=_BETTER[measure.better],
        threshold="; ".join(asked) or _NONE,
        detectable=number(measure.detectable),
        # Without a figure nothing was judged, whatever the policy makes of that.
        outcome=judgement.outcomes.get(measure.name, "") if measure.status == "measured" else measure.status,
        reason=_without_value(measure) if measure.status != "measured" else "",
        details="; ".join(f"{name.strip(' ,')} {number(value)}" for name, value in measure.details.items()),
    )


def _without_value(measure: Measure) -> str:
    needs = "" if measure.needed is None else f" ({measure.needed:,} are needed)"
    return f"{measure.reason}{needs}"
