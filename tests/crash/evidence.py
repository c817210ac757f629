"""What must hold after every crash, read from the records that are left and from the tape."""

import hashlib
from collections import defaultdict
from contextlib import closing

from crash.known import known_sum, known_task
from crash.world import COORDINATOR, RUN, CrashWorld
from headwater.agreement.session import roster_of, terms_of
from headwater.secagg.protocol.receipts import Chain, Document, read_document
from headwater.secagg.wire.messages import Receipt
from headwater_server.runs.replay import RunJournal
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import BlobStore, SqlStorage

__all__ = ["check_all", "check_all_is_charged", "check_nothing_left_twice", "check_sums", "documents"]

_ONCE = ("CHUNK", "UPLOAD", "CONFIRM", "REVEAL")


def check_all(world: CrashWorld, run: str = RUN) -> list[Document]:
    """All that must hold whatever was killed; returns the run's receipts and aborts."""
    check_nothing_left_twice(world)
    chain = documents(world, run)
    check_sums(world, chain, run)
    _check_organisations_agree(world, chain, run)
    check_all_is_charged(world, run)
    return chain


def documents(world: CrashWorld, run: str = RUN) -> list[Document]:
    """The run's receipts and aborts as the coordinator holds them, in order, each the next link of one chain."""
    plan = world.plans[run]
    with closing(world.storage()) as storage:
        signed = storage.charter()
        assert signed is not None
        entries = storage.round_entries(run)
    roster = roster_of(signed.charter, plan)
    chain = Chain.after(None, roster, terms_of(plan, run, 1))
    found = [read_document(entry.data, roster) for entry in entries if entry.kind in ("receipt", "abort")]
    for document in found:
        chain.extend(document)
    return found


def check_sums(world: CrashWorld, chain: list[Document], run: str = RUN) -> None:
    """Each sum is exactly the sum of the members that its receipt names, those that the recipe took included."""
    steps = {
        hashlib.sha256(known_task(world.plans[run], step, length).to_bytes()).digest(): step
        for step, length in enumerate(world.lengths, 1)
    }
    expected: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
    for document in chain:
        if isinstance(document.content, Receipt):
            step = steps[document.content.task_digest]
            total = known_sum(document.members, step, world.lengths[step - 1])
            digest = hashlib.sha256(total.astype("<u4").tobytes()).digest()
            assert document.content.sum_digest == digest, f"round {document.round} has a wrong sum"
            expected[step][digest] = len(document.members)
    with closing(world.storage()) as storage:
        stored = _journal(world, storage, run).sums()
    assert len(stored) <= len(world.lengths)
    for step, taken in enumerate(stored, 1):
        digest = hashlib.sha256(taken.vector.astype("<u4").tobytes()).digest()
        assert expected[step].get(digest) == taken.contributors, f"the sum of step {step} has no receipt"


def check_nothing_left_twice(world: CrashWorld) -> None:
    """For one round number of one organisation one masked vector, one Confirm, one Reveal (protocol 4.4 to 4.6)."""
    left: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    for entry in world.tape.entries:
        if entry.process != COORDINATOR and entry.what == "sending" and entry.kind in _ONCE:
            facts = entry.facts
            left[entry.process, facts["run"], entry.kind, facts["round"], facts.get("index")].add(facts["sha256"])
    twice = {key: digests for key, digests in left.items() if len(digests) > 1}
    assert not twice, f"something else left a second time: {twice}"


def check_all_is_charged(world: CrashWorld, run: str = RUN) -> None:
    """Of every vector of which a byte left there is a charge (protocol 4.4)."""
    left: defaultdict[str, set[int]] = defaultdict(set)
    for entry in world.tape.entries:
        if entry.what == "sending" and entry.kind in ("CHUNK", "UPLOAD") and entry.facts["run"] == run:
            left[entry.process].add(entry.facts["round"])
    for member in world.members:
        with closing(world.store(member)) as store:
            charged = {entry.round for entry in store.ledger() if entry.run_id == run}
        assert left[member] <= charged, f"{member} sent what it did not charge"


def _check_organisations_agree(world: CrashWorld, chain: list[Document], run: str) -> None:
    """Nobody holds a document that the coordinator does not."""
    data = {document.data for document in chain}
    for member in world.members:
        with closing(world.store(member)) as store:
            last = store.last_receipt(run)
        assert last is None or last in data, f"{member} holds a document that the coordinator lost"


def _journal(world: CrashWorld, storage: SqlStorage, run: str) -> RunJournal:
    return RunJournal(storage, BlobStore(CoordinatorHome(world.folder / COORDINATOR).blobs), run)
