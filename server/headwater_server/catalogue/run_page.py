"""Everything that the pages of runs show, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.errors import InputError
from headwater.release.attempts import Attempt
from headwater_server.catalogue.run_lines import lines_after
from headwater_server.cli.watching import finished_in_words
from headwater_server.runs.round_words import health_in_words
from headwater_server.services.ports import ReleaseRecord, RunRecord

__all__ = ["OVER", "HealthFigure", "RunPages", "RunStore", "run_values", "state_of"]

OVER = frozenset({"finished", "failed", "stopped"})
"""States that nothing follows."""

_TONES = {"finished": "good", "failed": "bad", "stopped": "bad", "stopping": "warn"}


class RunStore(Protocol):
    """What the pages need of the coordinator's storage; every method may block."""

    def runs(self) -> Sequence[RunRecord]:
        """All runs, oldest first."""

    def run(self, run_id: str) -> RunRecord | None:
        """One run; None for a stranger's id."""

    def proposal(self, run_id: str) -> SignedProposal | None:
        """What was proposed."""

    def progress(self, run_id: str, after: int = 0) -> Sequence[tuple[int, Mapping[str, object]]]:
        """Records with numbers above `after`."""

    def result(self, run_id: str) -> Mapping[str, object] | None:
        """What it left."""

    def attempts(self, run_id: str) -> Sequence[bytes]:
        """Attempts at the gate, of all runs of its plan's name."""

    def releases(self) -> Sequence[ReleaseRecord]:
        """All that went through the gate."""

    def charter_in_force(self, version: int | None = None) -> SignedCharter | None:
        """Names of members."""


@dataclass(frozen=True)
class RunPages:
    """Where runs are looked up.

    Attributes:
        store: of the coordinator.
        folder: holds a folder for each run, with health.svg.
    """

    store: RunStore
    folder: Path

    def health(self, run_id: str) -> Path | None:
        """The figure of a run's health; None before it is drawn. The id must be that of a known run."""
        file = self.folder / run_id / "health.svg"
        return file if file.is_file() else None


@dataclass(frozen=True)
class HealthFigure:
    """The figure, with the words that say the same; `stamp` changes when it is drawn anew."""

    description: str
    stamp: int


def state_of(pages: RunPages, record: RunRecord) -> Mapping[str, Any]:
    """What changes while a run goes on, as the page's script is told it."""
    health = _figure_stamp(pages, record.run_id)
    total = max(record.rounds_planned, record.rounds_done, 1)
    return {
        "over": record.state in OVER,
        "done": record.rounds_done,
        "planned": total,
        "health": health,
        "texts": {
            "state": record.state,
            "detail": record.detail,
            "sums": f"{record.rounds_done:,} of at most {total:,} secure sums",
        },
    }


def run_values(pages: RunPages, record: RunRecord) -> Mapping[str, Any]:
    """What the template of one run is given."""
    store, run_id = pages.store, record.run_id
    records = store.progress(run_id)
    told = lines_after(records, 0)
    names = _names(store)
    ready = [entry for _, entry in records if entry.get("kind") == "ready"]
    result = store.result(run_id)
    return {
        "run": record,
        "tone": _TONES.get(record.state, ""),
        "state": state_of(pages, record),
        "decisions": [(names.get(m, m), m, said) for m, said in sorted(record.decisions.items())],
        "cohort": _cohort(ready[-1], names) if ready else None,
        "lines": [line for _, lines in told for line in lines],
        "last": records[-1][0] if records else 0,
        "left": finished_in_words(result),
        "figure": _figure(pages, run_id, [entry for _, entry in records]),
        "attempts": _attempts(store, run_id),
        "releases": [each for each in store.releases() if each.run_id == run_id],
        "plan": _plan(store.proposal(run_id)),
    }


@dataclass(frozen=True)
class _Cohort:
    members: Sequence[str]
    protection: str
    privacy: str


def _cohort(ready: Mapping[str, Any], names: Mapping[str, str]) -> _Cohort:
    members = [names.get(member, member) for member in ready.get("members", ())]
    return _Cohort(members, str(ready.get("protection", "")), str(ready.get("privacy", "")))


def _names(store: RunStore) -> Mapping[str, str]:
    signed = store.charter_in_force(None)
    return {} if signed is None else {member.id: member.name for member in signed.charter.members}


def _attempts(store: RunStore, run_id: str) -> Sequence[Attempt]:
    found = []
    for document in store.attempts(run_id):
        try:
            found.append(Attempt.from_bytes(document))
        except InputError:
            # What later software wrote is not shown by this one.
            continue
    return found


def _plan(signed: SignedProposal | None) -> Sequence[tuple[str, str]]:
    if signed is None:
        return ()
    plan = signed.proposal.plan
    privacy = "none" if isinstance(plan.privacy, str) else f"ε of at most {plan.privacy.epsilon:g}"
    return (
        ("Plan", plan.name),
        ("Columns", f"{len(plan.schema_.columns):,}"),
        ("Privacy budget", privacy),
        ("Proposed", signed.proposal.created),
    )


def _figure_stamp(pages: RunPages, run_id: str) -> int:
    file = pages.health(run_id)
    try:
        return 0 if file is None else file.stat().st_mtime_ns // 10**6
    except OSError:
        return 0


def _figure(pages: RunPages, run_id: str, records: Sequence[Mapping[str, Any]]) -> HealthFigure | None:
    stamp = _figure_stamp(pages, run_id)
    if not stamp:
        return None
    merges = [record for record in records if record.get("kind") == "merge"]
    models = [words for record in records if (words := health_in_words(record))]
    refused = sum(not record.get("accepted", True) for record in merges)
    rounds = f"{len(merges)} training rounds, {refused} of them not taken. " if merges else ""
    last = f"The last model: {models[-1]}." if models else "The steps below say the same in words."
    return HealthFigure(f"Health of the generator over the run. {rounds}{last}", stamp)
