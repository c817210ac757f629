"""Tell a person at the terminal how far a simulation is."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from headwater_server.runs.round_words import (
    ending_in_words,
    flags_in_words,
    health_in_words,
    judgement_in_words,
    remedies_in_words,
)

__all__ = ["Narrator"]

_WORDS = {
    "pixels": "Summing pixels",
    "histograms": "Summing histograms",
    "marginals": "Summing marginals",
    "expectation": "Fitting the mixture by sums",
    "refine": "Putting networks around the mixture",
    "evaluate": "Asking the critic at the organisations",
    "judge": "Judging what is released",
    "fit": "Fitting the generator to the sums",
    "update": "Training at the organisations",
    "merge": "Merging the update",
    "sample": "Sampling rows",
    "score": "Scoring on held-out rows",
    "curve": "Measuring the sample-size curve",
}


class Narrator:
    """A bar for the step under way, and one line for each that ended. A watcher of `drive`."""

    def __init__(self, console: Console) -> None:
        """Write to this console."""
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away, however the simulation ended."""
        self._progress.stop()

    def begins(self, what: str) -> None:
        """Start the step's bar."""
        self._task = self._progress.add_task(_WORDS[what], total=None)

    def advances(self, done: int, steps: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=steps)

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """Replace the bar by a line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        said = "; ".join(text for record in records if (text := _say(record)))
        self._progress.console.print(f"{_WORDS[what]}: {seconds:.1f} s{f', {said}' if said else ''}", highlight=False)


def _say(record: Mapping[str, object]) -> str:
    match record["kind"]:
        case "pixels":
            shares = ", ".join(f"{share:.0%}" for share in record["variance"].values())  # type: ignore[attr-defined]
            return f"{max(record['scores'])} scores a picture hold {shares} of the variance"  # type: ignore[call-overload]
        case "histograms":
            return f"{record['rows']:,} training rows of {record['contributors']} organisations"
        case "marginals":
            return f"{record['tables']} tables, {record['cells']:,} cells"
        case "expectation" if not record.get("accepted", True):
            return f"NOT TAKEN: {record['reason']}"
        case "expectation":
            passed = record.get("passed")
            over = f", over the attack's limit: {record.get('reason', '')}"
            taken = "" if passed is None else ", within the attack's limit" if passed else over
            return (
                f"{record['components']} components, log-density {record['log_density']:.3f}, "
                f"attack {record['attack_auc']:.3f}{taken}"
            )
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
