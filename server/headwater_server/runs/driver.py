"""Drive one run: setup, secure sums, fits, until the recipe is done."""

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charge import charge_of
from headwater.agreement.charter import Charter
from headwater.agreement.plan import Plan
from headwater.agreement.session import roster_of, terms_of
from headwater.contribution.execution import execute
from headwater.errors import HeadwaterError, OutOfOrder, StorageError, TransportError
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import read_sampler
from headwater.privacy.words import NOT_PRIVATE, budget_in_words
from headwater.recipe.actions import Aggregate, Computed, Done, Sample
from headwater.recipe.machine import Recipe, build_recipe
from headwater.release.privacy_claim import Privacy
from headwater.secagg import Aggregator
from headwater.secagg.protocol.events import AggregatorEvent, MemberDropped, Persist, RoundAborted, SessionFailed
from headwater.secagg.protocol.terms import MAXIMUM_ATTEMPTS
from headwater_server.runs.budget import RunBudget
from headwater_server.runs.candidate import evidence_of, keep_candidate, sampled
from headwater_server.runs.charters import agreed
from headwater_server.runs.inviting import Inviting, invited
from headwater_server.runs.quorum import approved_members
from headwater_server.runs.record import RunRecorder
from headwater_server.runs.released import released_in_words
from headwater_server.runs.replay import RunJournal, StoredSum
from headwater_server.runs.room import require_room
from headwater_server.runs.round_words import training_outcome
from headwater_server.services.hub import AggregationHub
from headwater_server.services.session import AggregationSession
from headwater_server.settings import SPOOL_MEMORY_MIB, CoordinatorHome
from headwater_server.storage import BlobStore, DiskSpool, RunState, Storage

__all__ = ["RunDriver"]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Cost:
    """What the run cost so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    received_bytes: int = 0
    sent_bytes: int = 0

    def add(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


class RunDriver:
    """One run from its state "starting" to its end, or until the disk takes no more of it."""

    def __init__(
        self,
        run_id: str,
        home: CoordinatorHome,
        storage: Storage,
        hub: AggregationHub,
        flower: Inviting,
        key: Ed25519PrivateKey,
        *,
        spool_memory_bytes: int = SPOOL_MEMORY_MIB * 2**20,
    ) -> None:
        """Take the parts; nothing happens yet."""
        self._run_id = run_id
        self._home = home
        self._storage = storage
        self._hub = hub
        self._flower = flower
        self._key = key
        self._spool_memory_bytes = spool_memory_bytes
        self._journal = RunJournal(storage, BlobStore(home.blobs), run_id)
        self._recorder = RunRecorder(storage, run_id, home.runs / run_id)
        self._cost = _Cost()
        self._budget: RunBudget | None = None
        self._session: AggregationSession | None = None
        self._failed_because = ""
        self._dropped: dict[str, str] = {}

    async def drive(self) -> None:
        """Run to the end and leave the state finished or failed; as it is when cancelled or stopped by the disk.

        What a full disk stopped goes on from its records in another driver, as after a restart.
        """
        try:
            self._recorder.restore()
            proposal, charter, members = self._agreed()
            if self._storage.run_state(self._run_id) is RunState.STARTING:
                self._storage.move_run(self._run_id, RunState.RUNNING, "waiting for the organisations")
            async with invited(self._flower, self._run_id):
                await self._follow_recipe(proposal, charter, members)
            self._storage.move_run(self._run_id, RunState.FINISHED, "the generator is ready to be released")
        except asyncio.CancelledError:
            # Else the coordinator itself stops: members come back to the run when it is up again.
            if self._storage.run_state(self._run_id) is RunState.STOPPING:
                await self._hub.end_run(self._run_id, "the operator stopped the run")
            raise
        except StorageError as error:
            await self._pause(str(error))
        except HeadwaterError as error:
            await self._fail(str(error))
        except Exception as error:  # noqa: BLE001  a bug ends this run with a reason, and no other run
            _log.error("run_broken", run=self._run_id, exc_info=error)
            await self._fail(f"an error inside the coordinator ({type(error).__name__}); its log says where")

    async def _pause(self, reason: str) -> None:
        """Give up the round in flight; what is stored counts, and members come back (protocol 4.8)."""
        _log.error("run_paused", run=self._run_id, reason=reason)
        # One by one: what cannot be written must not keep the members from being told.
        with contextlib.suppress(HeadwaterError):
            await self._hub.leave_run(self._run_id, "the coordinator cannot store its records; the run goes on later")
        with contextlib.suppress(HeadwaterError):
            self._recorder.add_once({"kind": "paused", "reason": reason})

    async def _fail(self, reason: str) -> None:
        # Before anything else, so that members and operator read it too: a run that failed cost what it asked for.
        with contextlib.suppress(HeadwaterError):
            spent = await asyncio.to_thread(lambda: self._budget.spent_in_words if self._budget else "")
            reason = f"{reason}; {spent} all the same" if spent else reason
        _log.warning("run_failed", run=self._run_id, reason=reason)
        # One by one: what cannot be written must not keep the run from being over.
        with contextlib.suppress(HeadwaterError):
            await self._hub.end_run(self._run_id, f"the run failed: {reason}")
        with contextlib.suppress(HeadwaterError):
            self._recorder.add({"kind": "failed", "reason": reason})
        with contextlib.suppress(HeadwaterError):
            self._storage.move_run(self._run_id, RunState.FAILED, reason)

    def _agreed(self) -> tuple[SignedProposal, Charter, tuple[str, ...]]:
        proposal, charter = agreed(self._storage, self._run_id)
        return proposal, charter, approved_members(self._storage, proposal, charter)

    async def _follow_recipe(self, proposal: SignedProposal, charter: Charter, members: tuple[str, ...]) -> None:
        plan = proposal.proposal.plan
        recipe, budget = build_recipe(plan), RunBudget(plan, self._journal)
        self._budget = budget
        stored = self._journal.sums()
        organisations = 0
        while not isinstance(action := recipe.next(), Done):
            seen = len(recipe.history)
            started = time.monotonic()
            phase: str
            if isinstance(action, Aggregate):
                phase = action.task.kind
                total = stored.pop(0) if stored else await self._sum(action, budget, proposal, charter, members)
                recipe.add_sum(total.vector, total.contributors, total.members)
                organisations = total.contributors
            else:
                phase = type(action).__name__.lower()
                await self._compute(recipe, action)
            self._cost.add(phase, time.monotonic() - started)
            await self._report(recipe, seen, time.monotonic() - started)
        # Before anything slow: a member whose session just ends would ask for the next one.
        await self._hub.end_run(self._run_id, "the run is finished")
        self._count_traffic()
        privacy = await asyncio.to_thread(budget.claim, disjoint_people=charter.disjoint_people)
        await asyncio.to_thread(self._finish, plan, recipe, action, privacy, organisations)

    async def _compute(self, recipe: Recipe, action: Computed) -> None:
        loop = asyncio.get_running_loop()

        def progress(done: int, steps: int, loss: float) -> None:
            if done % 250 == 0:
                record = {"kind": "fitting", "done": done, "of": steps, "loss": round(loss, 5)}
                loop.call_soon_threadsafe(self._recorder.add, record)

        if isinstance(action, Sample):
            model, report = await asyncio.to_thread(sampled, self._journal, action)
        else:
            model, report = await asyncio.to_thread(execute, action, on_progress=progress)
        recipe.add_model(model, report)

    async def _report(self, recipe: Recipe, seen: int, seconds: float) -> None:
        # A run that goes on after a restart comes by the steps that it had reported before.
        fresh = recipe.history[max(seen, self._recorder.steps) :]
        for record in fresh:
            self._recorder.add_step(record, seconds)
        # A climb has many rounds, and so has a critic under noise; a plot is drawn when a rung or the training ends.
        if any(record["kind"] not in ("expectation", "gradient") or "passed" in record for record in fresh):
            await asyncio.to_thread(self._recorder.draw)

    async def _sum(
        self,
        action: Aggregate,
        budget: RunBudget,
        proposal: SignedProposal,
        charter: Charter,
        members: tuple[str, ...],
    ) -> StoredSum:
        """One secure sum, tried again as the plan allows and its budget pays for (protocol 4.10 i, iv)."""
        plan = proposal.proposal.plan
        task = action.task.to_bytes()
        while True:
            await asyncio.to_thread(budget.admit, action.task)
            try:
                session = await self._open_session(proposal, charter, members)
                outcome = await session.round(task, action.model, action.task.length, charge_of(plan, action.task))
            except TransportError as error:
                # The session is gone, for instance below its threshold; the next attempt is a whole new setup.
                self._recorder.add({"kind": "session_failed", "reason": str(error)})
                self._count_traffic()
                continue
            if isinstance(outcome, RoundAborted):
                self._recorder.add({"kind": "aborted", "round": outcome.round, "reason": outcome.reason})
                if self._journal.aborts > plan.aggregation.retries:
                    raise OutOfOrder(
                        f"{self._journal.aborts} rounds were aborted, the plan allows {plan.aggregation.retries}; "
                        f"the last because {outcome.reason}"
                    )
                continue
            ready = await session.ready()
            total = StoredSum(outcome.vector, len(outcome.contributors), len(ready.members))
            await asyncio.to_thread(self._journal.add_sum, total)
            return total

    async def _open_session(
        self, proposal: SignedProposal, charter: Charter, members: tuple[str, ...]
    ) -> AggregationSession:
        if self._session is not None and not self._session.over:
            return self._session
        plan = proposal.proposal.plan
        # protocol 3.3: a setup is one of eight; none is spent where its records would not fit.
        require_room(self._home.folder)
        self._journal.close_unfinished(self._key)
        attempt = self._journal.next_attempt()
        if attempt > MAXIMUM_ATTEMPTS:
            because = f"{self._failed_because}; " if self._failed_because else ""
            raise OutOfOrder(
                f"{because}the setup of run {self._run_id} failed {MAXIMUM_ATTEMPTS} times; propose a new run"
            )
        self._recorder.add({"kind": "setup", "attempt": attempt, "expected": list(members)})
        self._dropped = {}
        aggregator = Aggregator(
            roster_of(charter, plan),
            terms_of(plan, self._run_id, attempt),
            self._key,
            now=self._hub.now(),
            chain=self._journal.chain,
            threads=len(os.sched_getaffinity(0)),
            spool=DiskSpool(self._home.spool, self._spool_memory_bytes),
        )
        self._session = await self._hub.open_session(
            self._run_id, aggregator, members, persist=self._persist, observe=self._observe
        )
        ready = await self._session.ready()
        self._failed_because = ""
        promised = NOT_PRIVATE if plan.privacy == "none" else budget_in_words(plan.privacy)
        protection = {"protection": plan.aggregation.protection, "privacy": promised}
        self._recorder.add({"kind": "ready", "members": list(ready.members), **protection})
        return self._session

    def _persist(self, event: Persist) -> None:
        self._journal.add(event.kind, event.data)

    def _observe(self, event: AggregatorEvent) -> None:
        if isinstance(event, MemberDropped):
            record = {"kind": "dropped", "member": event.member, "phase": event.phase, "reason": event.reason}
            self._recorder.add(record)
            # protocol 4.10: an organisation that finds another cohort, or an old record file, says so by refusing.
            self._dropped[event.member] = event.reason
        elif isinstance(event, SessionFailed):
            said = (f"{member}: {reason}" for member, reason in sorted(self._dropped.items()))
            self._failed_because = "; ".join([event.reason, *said])

    def _count_traffic(self) -> None:
        if self._session is not None:
            self._cost.received_bytes += self._session.traffic.received_bytes
            self._cost.sent_bytes += self._session.traffic.sent_bytes
            self._session = None

    def _finish(self, plan: Plan, recipe: Recipe, done: Done, privacy: Privacy, organisations: int) -> None:
        bundle = Bundle(read_sampler(done.model), done.encoding)
        folder = self._home.runs / self._run_id / "generator"
        digest = bundle.digest if folder.exists() else bundle.save(folder)
        evidence = None if done.audit is None else evidence_of(done.audit, plan)
        if done.audit is not None and evidence is not None:
            keep_candidate(folder.parent / "candidate", done.audit, evidence)
        self._storage.set_result(
            self._run_id,
            {
                "generator_digest": digest,
                "rows": done.rows,
                "organisations": organisations,
                "seconds": {phase: round(seconds, 3) for phase, seconds in self._cost.seconds.items()},
                "bytes_up": self._cost.received_bytes,
                "bytes_down": self._cost.sent_bytes,
                "rounds": sum(record.get("kind") == "update" for record in recipe.history),
                **training_outcome(recipe.history),
                "released": released_in_words(plan, recipe.history),
                "sums": len(self._journal.chain) - self._journal.aborts,
                "privacy": privacy if isinstance(privacy, str) else privacy.model_dump(mode="json"),
                "protection": plan.aggregation.protection,
                "candidate": "" if evidence is None else evidence.in_short,
            },
        )
