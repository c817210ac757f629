"""A coordinator with a run, a charter in force and releases that wait for its members."""

from pathlib import Path

from headwater.canonical import canonical_json, sha256_hex
from headwater.release import Provenance, ReleaseFacts, write_release
from headwater.release.dsse import envelope_of, sign_statement
from headwater.release.layout import ATTESTATION
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.services.ports import ReleaseRecord, ReleaseState
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import SqlStorage
from support.consortium import CREATED, ConsortiumInMemory
from support.releases import make_table

__all__ = ["RUN", "WaitingRoom"]

RUN = "0f" * 16


class WaitingRoom:
    """Storage and folders of a coordinator, and the keys of its members."""

    def __init__(self, folder: Path, members: int = 3) -> None:
        """Bring a charter in force and propose a run under it."""
        self.world = ConsortiumInMemory(members)
        self.home = CoordinatorHome(folder / "coordinator")
        self.home.releases.mkdir(parents=True)
        self.url = f"sqlite:///{folder / 'state.db'}"
        self.storage = SqlStorage(self.url)
        self.folders = ReleaseFolders(self.home)
        signed = self.world.signed_charter()
        self.charter = signed.charter
        self.storage.add_charter(signed.model_copy(update={"signatures": {}}))
        for name, signature in signed.signatures.items():
            self.storage.add_charter_signature(signed.charter.digest, name, signature)
        self.proposal = self.world.proposal(run_id=RUN)
        self.storage.add_run(self.proposal)

    def wait(self, name: str = "visits", rows: int = 40) -> ReleaseRecord:
        """A release under the next version of its name, waiting; its statement is not a real one."""
        table, version = make_table(rows), self.storage.next_version(name)
        facts = ReleaseFacts(
            name=name,
            version=version,
            title=name,
            description="",
            licence="none",
            differencing="unprotected",
            privacy="none",
            created=CREATED,
            provenance=Provenance(
                consortium="Test consortium",
                organisations=len(self.world.keys),
                run_id=RUN,
                plan_digest=self.proposal.proposal.plan.digest,
                charter_digest=self.charter.digest,
                schema_digest=table.schema.digest,
                software="headwater test",
            ),
        )
        key = self.world.coordinator_key
        with self.folders.held():
            staging = self.folders.staging()
            digest = write_release(staging, table, facts, key).manifest.digest
            statement = canonical_json({"release": digest})
            signature = {self.charter.coordinator_key: sign_statement(key, statement)}
            (staging / ATTESTATION).write_bytes(envelope_of(statement, signature))
            record = ReleaseRecord(
                digest, RUN, self.charter.digest, name, version, statement, "pass", ReleaseState.WAITING, CREATED
            )
            self.folders.add(digest, staging)
            self.storage.add_release(record)
        return record

    def decide(self, record: ReleaseRecord, member: str, decision: str = "approve", reason: str = "") -> ReleaseRecord:
        """Record a member's decision, as the service does."""
        from datetime import UTC, datetime

        signature = sign_statement(self.world.keys[member], record.statement)
        words = {"reason": reason} if reason else {}
        signed = self.world.release_decision(
            record.release_digest,
            member,
            decision,
            statement_signature=signature,
            statement_digest=sha256_hex(record.statement),
            **words,
        )
        return self.storage.record_release_decision(signed, datetime.now(UTC))
