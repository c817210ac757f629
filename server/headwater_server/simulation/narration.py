"""Tell a person at the terminal how far a simulation is."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console

from headwater.mixture.tilting import is_tilt
from headwater_server.runs.candidate_words import audit_in_words, candidate_in_words
from headwater_server.runs.climb_words import RungTally, is_climb_round, round_in_words, verdict_in_words
from headwater_server.runs.private_words import (
    counts_in_words,
    critic_in_words,
    is_noisy,
    misfit_in_words,
    steps_in_words,
)
from headwater_server.runs.round_words import (
    ending_in_words,
    flags_in_words,
    health_in_words,
    judgement_in_words,
    remedies_in_words,
)
from headwater_server.step_bar import StepBar

__all__ = ["Narrator"]

_WORDS = {
    "pixels": "Summing pixels",
    "histograms": "Summing histograms",
    "marginals": "Summing marginals",
    "expectation": "Fitting the mixture by sums",
    "tilt": "Tilting the mixture to the counted pairs",
    "refine": "Putting networks around the mixture",
    "evaluate": "Asking the critic at the organisations",
    "judge": "Judging what is released",
    "fit": "Fitting the generator to the sums",
    "fitnoisy": "Fitting the generator to the noisy sums",
    "gradient": "Training a critic by noisy sums",
    "stepcritic": "Training a critic by noisy sums",
    "weighnoisy": "Judging the critic by the noisy sums",
    "update": "Training at the organisations",
    "merge": "Merging the update",
    "sample": "Sampling rows",
    "audit": "Attacking the rows at the organisations",
    "score": "Scoring on held-out rows",
    "curve": "Measuring the sample-size curve",
}

# Hundreds of steps, told by the last.
_QUIET = ("gradient", "stepcritic")


class Narrator:
    """A bar for the step under way, and one line for each that ended. A watcher of `drive`.

    Where the console is no terminal there is no bar, and a climb has a line for each rung instead of one a round.
    """

    def __init__(self, console: Console) -> None:
        """Write to this console."""
        self._bar = StepBar(console)
        self._rung = None if console.is_terminal else RungTally()

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away, however the simulation ended."""
        self._bar.__exit__(kind, error, trace)

    def begins(self, what: str) -> None:
        """Start the step's bar."""
        self._bar.begin(_WORDS[what])

    def advances(self, done: int, steps: int) -> None:
        """Move the bar."""
        self._bar.advance(done, steps)

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """Replace the bar by a line; a round within a rung has none where rungs are told."""
        if self._rung is not None and records and is_climb_round(first := records[0]):
            whole = self._rung.add({**first, "seconds": seconds})
            if whole is None:
                self._bar.end()
                return
            seconds, records = whole["seconds"], [whole, *records[1:]]
        elif self._rung is not None and (begun := self._rung.close()) is not None:
            self._bar.end(_line("expectation", begun["seconds"], [begun]))
        if what in _QUIET and not any(_say(record) for record in records):
            self._bar.end()
            return
        self._bar.end(_line(what, seconds, records))


def _line(what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> str:
    said = "; ".join(text for record in records if (text := _say(record)))
    return f"{_WORDS[what]}: {seconds:.1f} s{f', {said}' if said else ''}"


def _say(record: Mapping[str, object]) -> str:
    match record["kind"]:
        case "pixels":
            shares = ", ".join(f"{share:.0%}" for share in record["variance"].values())  # type: ignore[attr-defined]
            return f"{max(record['scores'])} scores a picture hold {shares} of the variance"  # type: ignore[call-overload]
        case "histograms" | "marginals" if is_noisy(record):
            return counts_in_words(record)
        case "fitted":
            return misfit_in_words(record)
        case "gradient":
            return steps_in_words(record)
        case "weighed":
            return critic_in_words(record)
        case "histograms":
            return f"{record['rows']:,} training rows of {record['contributors']} organisations"
        case "marginals":
            return f"{record['tables']} tables, {record['cells']:,} cells"
        case "expectation" | "update" | "evaluate" if not record.get("accepted", True):
            return f"NOT TAKEN: {record['reason']}"
        case "expectation":
            rung = "" if is_tilt(record) or "rung" not in record else f"rung {record['rung']}"
            return ", ".join(part for part in (rung, round_in_words(record), verdict_in_words(record)) if part)
        case "fit":
            return f"distance from the marginals {record['marginal_loss']:.4f}"
        case "calibration":
            taken = "nearer to the counts" if record["accepted"] else "NOT TAKEN: " + str(record["reason"])
            return f"calibration, {taken}"
        case "update":
            left_out = record.get("skipped")
            size = f"norm {record['update_norm']:.3g}" if "update_norm" in record else ""
            return ", ".join(
                part for part in (size, f"{left_out} organisations had no finite update" if left_out else "") if part
            )
        case "merge":
            return _say_round(record)
        case "judge":
            return judgement_in_words(record)
        case "candidate":
            return candidate_in_words(record)
        case "audit":
            return audit_in_words(record)
        case "restart":
            return "back to the average of the last model taken"
        case "ended":
            return ending_in_words(record)
        case _:
            return ""


def _say_round(record: Mapping[str, object]) -> str:
    flags, remedies = flags_in_words(record), remedies_in_words(record)
    said = "taken" if record["accepted"] else "NOT TAKEN"
    parts = [f"{said}: {flags}" if flags else said, health_in_words(record), f"now {remedies}" if remedies else ""]
    return "; ".join(part for part in parts if part)
