"""A run as it goes, for people: one line for each record, and a bar of sums while it is under way."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from headwater.mixture.tilting import is_tilt
from headwater.privacy.words import NOT_PRIVATE, private_in_words
from headwater.release.privacy_claim import PrivacyClaim
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

if TYPE_CHECKING:
    from rich.console import Console

    from headwater_server.storage import Storage

__all__ = ["Lines", "describe", "finished_in_words", "follow"]

_POLL_SECONDS = 0.5


def follow(storage: "Storage", run_id: str, console: "Console", serving: Callable[[], bool]) -> None:
    """Show a run's progress until it is over; on a terminal with a bar that says what it waits for.

    Elsewhere, as in a file, a climb has a line for each rung and not for each round.

    Args:
        storage: where the run's records are.
        run_id: 32 hexadecimal digits.
        console: where to write.
        serving: whether the coordinator that drives the run is up.

    Raises:
        OutOfOrder: it failed or was stopped, or nobody drives it; the message says why.
    """
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from headwater.errors import OutOfOrder

    seen, lines = 0, Lines(every_round=console.is_terminal)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("sums"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("starting", total=None)
        while True:
            # In this order: what was recorded before the end is shown before it.
            up, state = serving(), storage.run_state(run_id)
            for number, entry in storage.progress(run_id, seen):
                seen = number
                for line in lines.of(entry):
                    console.print(line, soft_wrap=True)
                bar.update(task, description=_doing(entry))
            record = storage.run(run_id)
            if record is not None:
                bar.update(task, completed=record.rounds_done, total=record.rounds_planned)
            if state.over or not up:
                break
            time.sleep(_POLL_SECONDS)
    for line in lines.rest():
        console.print(line, soft_wrap=True)
    detail = record.detail if record is not None else ""
    if not state.over:
        raise OutOfOrder(f"run {run_id} is {state} but nobody drives it; headwater-coordinator serve goes on with it")
    if str(state) != "finished":
        raise OutOfOrder(f"run {run_id} {state}: {detail}")
    said = "; ".join(part for part in (escape(detail), escape(finished_in_words(storage.result(run_id)))) if part)
    console.print(f"[green]run {run_id} finished[/green]: {said}", soft_wrap=True, highlight=False)


def finished_in_words(result: Mapping[str, Any] | None) -> str:
    """What generator a stored result is of, and what it spent; "" where there is no result, or none that says so."""
    stored = result or {}
    return "; ".join(part for part in (str(stored.get("released", "")), _privacy_of(stored)) if part)


def _privacy_of(result: Mapping[str, Any]) -> str:
    match result.get("privacy"):
        case None:
            return ""
        case "none":
            return NOT_PRIVATE
        case stored:
            try:
                claim = PrivacyClaim.model_validate(stored)
            except ValueError:
                return "what it spent of its privacy budget cannot be read, and it cannot be released"
            return private_in_words(claim.epsilon, claim)


class Lines:
    """Turns a run's records into lines, one after the other."""

    def __init__(self, *, every_round: bool) -> None:
        """Begin before the first record.

        Args:
            every_round: whether each round of a climb has a line, or each rung.
        """
        self._rung = None if every_round else RungTally()

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """What to print now, as `describe` words it; a rung's rounds are held back until its last."""
        shown = [record]
        if self._rung is not None and is_climb_round(record):
            whole = self._rung.add(record)
            shown = [] if whole is None else [whole]
        elif self._rung is not None and record.get("kind") in ("expectation", "ended", "failed"):
            begun = self._rung.close()
            shown = [record] if begun is None else [begun, record]
        return [line for each in shown if (line := describe(each))]

    def rest(self) -> list[str]:
        """What is still held back, where there is no further record."""
        begun = None if self._rung is None else self._rung.close()
        return [] if begun is None else [describe(begun)]


def describe(record: Mapping[str, Any]) -> str:
    """A line for people, with rich markup; empty for a record that says nothing to them."""
    from rich.markup import escape

    seconds = f" [dim]{record['seconds']:.1f} s[/dim]" if "seconds" in record else ""
    match record.get("kind"):
        case "pixels":
            return f"pixels: {record['rows']:,} training rows, {max(record['scores'])} scores a picture{seconds}"
        case "histograms" | "marginals" if is_noisy(record):
            return f"noisy counts: {counts_in_words(record)}{seconds}"
        case "fitted":
            return f"fit to the noisy counts: {misfit_in_words(record)}{seconds}"
        case "gradient":
            said = steps_in_words(record)
            return f"critic: {said}{seconds}" if said else ""
        case "weighed":
            style = "green" if record["accepted"] else "yellow"
            return f"[{style}]critic[/{style}]: {escape(critic_in_words(record))}{seconds}"
        case "histograms":
            return f"histograms: {record['rows']:,} training rows, {record['codes']} codes{seconds}"
        case "marginals":
            groups = ", ".join("+".join(group) for group in record.get("super_columns", []))
            more = f"; super-columns {escape(groups)}" if groups else ""
            return f"marginals: {record['tables']} tables, {record['cells']:,} cells{more}{seconds}"
        case "fitting":
            return f"  fitting {record['done']}/{record['of']}, loss {record['loss']:.4f}"
        case "expectation" if not record.get("accepted", True):
            return f"mixture: [red]not taken[/red] ({escape(record['reason'])}){seconds}"
        case "expectation" if is_tilt(record):
            return f"mixture, tilted to the counted pairs: {_climb(record)}{seconds}"
        case "expectation":
            return f"mixture, rung {record['rung']}: {_climb(record)}{seconds}"
        case "fit":
            return f"fit: {health_in_words(record)}{seconds}"
        case "calibration":
            return f"calibration: {'taken' if record['accepted'] else 'not taken'}{seconds}"
        case "update" if not record.get("accepted", True):
            return f"training: [red]not taken[/red] ({escape(record['reason'])}){seconds}"
        case "update":
            return (
                f"training: {record.get('contributors', '?')} organisations' updates in one sum{_size(record)}{seconds}"
            )
        case "merge":
            return f"training round {record['round']}: {_verdict(record)}{seconds}"
        case "refine":
            return f"networks around the mixture: {health_in_words(record)}{seconds}"
        case "evaluate" if not record.get("accepted", True):
            return f"evaluation: [red]not taken[/red] ({escape(record['reason'])}){seconds}"
        case "evaluate":
            return (
                f"evaluation: the critic's opinion of {record['train_rows']:,} training and "
                f"{record['validation_rows']:,} validation rows{seconds}"
            )
        case "judge":
            style = "green" if record["accepted"] else "yellow"
            return f"[{style}]judgement[/{style}]: {escape(judgement_in_words(record))}{seconds}"
        case "candidate":
            return f"{_tinted('candidate', not record.get('failed'))}: {escape(candidate_in_words(record))}{seconds}"
        case "audit":
            return f"{_tinted('audit', record['accepted'])}: {escape(audit_in_words(record))}{seconds}"
        case "restart":
            return "  back to the average of the last model taken"
        case "ended":
            return f"[red]{escape(ending_in_words(record))}[/red]"
        case _:
            return _of_session(record)


def _of_session(record: Mapping[str, Any]) -> str:
    """The line of a record that tells of organisations and their session, and of no sum's result."""
    from rich.markup import escape

    from headwater.agreement.troubles import Trouble, trouble_in_words

    match record.get("kind"):
        case "setup":
            return f"setup {record['attempt']}: waiting for {', '.join(record['expected'])}"
        case "ready":
            members = ", ".join(record["members"])
            style = "red" if record["protection"].startswith("no ") else "green"
            said = f"session of {len(record['members'])}: {members} – [{style}]{record['protection']}[/{style}]"
            # Records of runs before this was kept say nothing of it.
            return f"{said}; {_privacy(record['privacy'])}" if "privacy" in record else said
        case "dropped":
            reason = escape(record["reason"])
            return f"[yellow]{record['member']} dropped out in phase {record['phase']}[/yellow]: {reason}"
        case "trouble":
            words = escape(trouble_in_words(Trouble(record["trouble"])))
            return f"[yellow]{record['member']} says[/yellow]: {words}"
        case "aborted":
            return f"[yellow]round {record['round']} aborted[/yellow]: {escape(record['reason'])}"
        case "session_failed":
            return f"[yellow]session ended, a new setup follows[/yellow]: {escape(record['reason'])}"
        case "paused":
            return f"[yellow]paused, to be tried again[/yellow]: {escape(record['reason'])}"
        case "failed":
            return f"[red]failed[/red]: {escape(record['reason'])}"
        case _:
            return ""


def _tinted(what: str, well: bool) -> str:
    return what if well else f"[red]{what}[/red]"


def _privacy(said: str) -> str:
    from rich.markup import escape

    style = "bold red" if said == NOT_PRIVATE else "green"
    return f"[{style}]{escape(said)}[/{style}]"


def _verdict(record: Mapping[str, Any]) -> str:
    from rich.markup import escape

    flags, remedies = escape(flags_in_words(record)), escape(remedies_in_words(record))
    if record["accepted"]:
        said = f"[green]taken[/green], [yellow]{flags}[/yellow]" if flags else "[green]taken[/green]"
    else:
        said = f"[red]not taken[/red] ({flags})"
    parts = [said, health_in_words(record), f"from now on {remedies}" if remedies else ""]
    return "; ".join(part for part in parts if part)


def _size(record: Mapping[str, Any]) -> str:
    if "update_norm" not in record:
        return ""
    cosine = f", cosine with the one before {record['cosine']:.2f}" if "cosine" in record else ""
    return f", norm {record['update_norm']:.3g}{cosine}"


def _climb(record: Mapping[str, Any]) -> str:
    from rich.markup import escape

    said, verdict = round_in_words(record), escape(verdict_in_words(record))
    if not verdict:
        return said
    style = "green" if record["passed"] else "yellow"
    return f"{said}, [{style}]{verdict}[/{style}]"


def _doing(record: Mapping[str, Any]) -> str:
    match record.get("kind"):
        case "setup" | "session_failed":
            return "waiting for the organisations"
        case "marginals" | "fitting" | "expectation":
            return "summing and fitting"
        case "gradient":
            return "training a critic by noisy sums"
        case "candidate" | "audit":
            return "attacking the candidate at the organisations"
        case "fit" | "refine" | "merge" | "update" | "evaluate":
            return "training at the organisations"
        case _:
            return "summing"
