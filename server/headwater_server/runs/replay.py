"""What a run leaves on disk as it goes, so that a coordinator that was killed goes on where it was."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.canonical import sha256_hex
from headwater.errors import InputError, PeerError, StorageError
from headwater.release.privacy_claim import ChargedRound
from headwater.secagg.crypto.ring import RingVector, ring_type
from headwater.secagg.protocol.receipts import close_unfinished, read_start
from headwater_server.storage import BlobStore, RoundEntry, Storage

__all__ = ["RunJournal", "StoredCandidate", "StoredSum"]

_ATTEMPT, _START, _SUM, _CHARGE, _CANDIDATE = "attempt", "start", "sum", "charge", "candidate"
_CHAIN = ("receipt", "abort")


@dataclass(frozen=True, slots=True, eq=False)
class StoredSum:
    """A sum that the recipe took.

    Attributes:
        vector: uint32 or uint64 by the plan's ring, shape (length,).
        contributors: organisations in it.
        members: of its session, dropped ones included.
    """

    vector: RingVector
    contributors: int
    members: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredCandidate:
    """What came of sampling the rows that may be released.

    Attributes:
        data: bytes of the candidate, b"" where sampling failed.
        said: the report's verdict, JSON values.
    """

    data: bytes
    said: Mapping[str, object]


class RunJournal:
    """The aggregation's durable records and the sums; sums are of all organisations, never of one."""

    def __init__(self, storage: Storage, blobs: BlobStore, run_id: str) -> None:
        """Read and write the records of one run."""
        self._storage = storage
        self._blobs = blobs
        self._run_id = run_id

    @property
    def chain(self) -> Sequence[bytes]:
        """Every receipt and abort so far, in order (protocol 4.7)."""
        return [entry.data for entry in self._entries() if entry.kind in _CHAIN]

    @property
    def aborts(self) -> int:
        """Rounds that ended without a sum."""
        return sum(entry.kind == "abort" for entry in self._entries())

    def close_unfinished(self, key: Ed25519PrivateKey) -> None:
        """Store the abort of a round that a crash left open, so that its number is never used again (protocol 4.8)."""
        started = None
        for entry in self._entries():
            if entry.kind == _START:
                started = entry.data
            elif entry.kind in _CHAIN:
                started = None
        if started is not None:
            self.add("abort", close_unfinished(started, key))

    def add_charge(self, task: bytes, step: str, charge: bytes) -> None:
        """Store what a round costs, before it is asked for.

        Args:
            task: the Task's exact bytes.
            step: what is counted, in the recipe's word.
            charge: of `headwater.agreement.charge.charge_of`.
        """
        self.add(_CHARGE, json.dumps({"task": sha256_hex(task), "step": step, "event": json.loads(charge)}).encode())

    def charged_rounds(self) -> list[ChargedRound]:
        """Every round that was begun, in order, with what it cost.

        Raises:
            StorageError: a record is damaged, or a round began whose cost is not recorded.
        """
        charges: dict[str, dict[str, object]] = {}
        found: list[ChargedRound] = []
        try:
            for entry in self._entries():
                if entry.kind == _CHARGE:
                    charge = json.loads(entry.data)
                    charges[charge["task"]] = {"step": charge["step"], "event": charge["event"]}
                elif entry.kind == _START:
                    start = read_start(entry.data)
                    asked = charges[start.task_digest.hex()]
                    found.append(ChargedRound.model_validate({"round": start.round, "completed": False, **asked}))
                elif entry.kind == "receipt":
                    found[-1] = found[-1].model_copy(update={"completed": True})
        except (ValueError, KeyError, TypeError, IndexError, PeerError) as error:
            raise StorageError(
                f"the records of run {self._run_id} do not say what its rounds cost; propose a new run"
            ) from error
        return found

    def next_attempt(self) -> int:
        """The number of the next setup, stored before it is used (protocol 3.3)."""
        attempt = 1 + sum(entry.kind == _ATTEMPT for entry in self._entries())
        self.add(_ATTEMPT, str(attempt).encode())
        return attempt

    def add(self, kind: str, data: bytes) -> None:
        """Store one record durably."""
        self._storage.add_round_entry(self._run_id, RoundEntry(kind, data))

    def add_sum(self, total: StoredSum) -> None:
        """Store a sum before the recipe takes it."""
        bits = 8 * total.vector.dtype.itemsize
        digest = self._blobs.put(total.vector.astype(ring_type(bits)).tobytes())
        record = {"sha256": digest, "contributors": total.contributors, "members": total.members, "ring_bits": bits}
        self.add(_SUM, json.dumps(record).encode())

    def sums(self) -> list[StoredSum]:
        """Every sum so far, in the order in which the recipe took them."""
        found = []
        for entry in self._entries():
            if entry.kind == _SUM:
                try:
                    document = json.loads(entry.data)
                    digest, contributors = str(document["sha256"]), int(document["contributors"])
                    # Records of earlier releases do not say it; those went by the contributors.
                    members = int(document.get("members", contributors))
                    kind = ring_type(int(document["ring_bits"]))
                except (ValueError, KeyError, TypeError, InputError) as error:
                    raise StorageError(f"a stored sum of run {self._run_id} is damaged; propose a new run") from error
                vector = np.frombuffer(self._blobs.get(digest), dtype=kind).copy()
                found.append(StoredSum(vector, contributors, members))
        return found

    def add_candidate(self, candidate: StoredCandidate) -> None:
        """Store a candidate before the recipe takes it."""
        digest = self._blobs.put(candidate.data)
        self.add(_CANDIDATE, json.dumps({"sha256": digest, "said": dict(candidate.said)}).encode())

    def candidate(self) -> StoredCandidate | None:
        """The candidate of the run; None before there is one.

        Raises:
            StorageError: its record or its bytes are damaged.
        """
        for entry in self._entries():
            if entry.kind == _CANDIDATE:
                try:
                    document = json.loads(entry.data)
                    digest, said = str(document["sha256"]), dict(document["said"])
                except (ValueError, KeyError, TypeError) as error:
                    raise StorageError(
                        f"the stored candidate of run {self._run_id} is damaged; propose a new run"
                    ) from error
                return StoredCandidate(self._blobs.get(digest), said)
        return None

    def _entries(self) -> Sequence[RoundEntry]:
        return self._storage.round_entries(self._run_id)
