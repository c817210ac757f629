"""A consortium on disk whose processes are killed: made once, copied for each test, driven to the end of a run."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tomlkit

from crash.disks import empty_disk, namespace_command
from crash.points import Point
from crash.processes import Processes, was_killed
from crash.tape import Entry
from headwater.agreement.plan import Plan
from headwater.agreement.succession import CharterHistory
from headwater.canonical import sha256_hex
from headwater.rpc.certificates import load_certificate, sha256_of
from headwater_client.keystore import KeyStore
from headwater_client.policy import DEFAULT_POLICY_TOML
from headwater_client.settings import Endpoint, Home, OrganisationSettings
from headwater_client.store import Store
from headwater_server.authority import Authority
from headwater_server.demo.processes import free_ports
from headwater_server.services.ports import EnrolledMember
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import RunState, SqlStorage
from support.consortium import ConsortiumInMemory

__all__ = ["COORDINATOR", "RUN", "CrashWorld", "make_template"]

COORDINATOR = "coordinator"
RUN = "0f" * 16
_HOST = "127.0.0.1"
_OVER_SECONDS = 90.0
_NOW = datetime.now(UTC)


def make_template(folder: Path, members: int) -> ConsortiumInMemory:
    """Enrol members under a coordinator in `folder`, with a charter that all have signed and pinned."""
    coordinator = CoordinatorHome(folder / COORDINATOR)
    authority = Authority.create("Crash consortium", _NOW - timedelta(days=1))
    pair = authority.issue_server("coordinator", [_HOST], _NOW - timedelta(days=1))
    coordinator.create(CoordinatorSettings(consortium="Crash consortium"), authority, pair)
    stores, identities = {}, {}
    with closing(SqlStorage(coordinator.database_url(coordinator.settings()))) as storage:
        for number in range(1, members + 1):
            member = f"org-{number}"
            home = Home(folder / member)
            keys = KeyStore(home.keys)
            keys.create_missing()
            certificate = authority.issue_member(keys.certificate_request(member), member, _NOW - timedelta(hours=1))
            keys.save_certificates(certificate, authority.certificate_pem)
            home.policy.write_text(DEFAULT_POLICY_TOML)
            identities[member], stores[member] = keys.identity_key(), Store(home.database)
            storage.add_invitation(sha256_hex(member.encode()), member, member.upper(), _NOW + timedelta(hours=1))
            storage.redeem(
                sha256_hex(member.encode()),
                EnrolledMember(
                    member,
                    member.upper(),
                    identities[member].public_key().public_bytes_raw().hex(),
                    keys.flower_public_key().decode(),
                    certificate,
                    sha256_of(load_certificate(certificate, "certificate")),
                ),
                _NOW,
            )
        consortium = ConsortiumInMemory(members, coordinator.charter_key(), identities)
        signed = consortium.signed_charter(ca_digest=authority.digest)
        storage.add_charter(signed.model_copy(update={"signatures": {}}))
        for member, signature in signed.signatures.items():
            storage.add_charter_signature(signed.charter.digest, member, signature)
    for store in stores.values():
        store.accept_charter(signed)
        store.follow_charter(CharterHistory((signed,)))
        store.close()
    return consortium


class CrashWorld:
    """One consortium's folder with a port of its own, and its processes."""

    def __init__(self, folder: Path, template: Path, consortium: ConsortiumInMemory, processes: Processes) -> None:
        """Copy the template; nothing runs yet."""
        self.folder = folder / "world"
        shutil.copytree(template, self.folder)
        self.consortium, self.processes, self.tape = consortium, processes, processes.tape
        self.members = tuple(consortium.keys)
        self.plans: dict[str, Plan] = {}
        self.lengths: tuple[int, ...] = ()
        self.lies: dict[str, str] = {}
        self._disks: dict[str, Path] = {}
        self._settle_ports()

    def give_disk(self, name: str, size_bytes: int = 32 * 2**20) -> None:
        """Put a process's folder on a disk of its own, as the last thing before everybody is started."""
        if namespace_command() is None:
            pytest.skip("this system lets nobody mount a disk in a namespace of its own; the limit on files is tested")
        self._disks[name] = self.processes.mount(self.folder / name, size_bytes)
        shutil.copytree(self.folder / name, self._disks[name], dirs_exist_ok=True)

    def make_room(self, name: str) -> None:
        """Make room on a process's full disk."""
        empty_disk(self._disks.get(name, self.folder / name), self.processes.pid(name))

    def storage(self) -> SqlStorage:
        """The coordinator's records, opened; close them."""
        home = CoordinatorHome(self.folder / COORDINATOR)
        return SqlStorage(home.database_url(home.settings()))

    def store(self, member: str) -> Store:
        """An organisation's records, opened; close them."""
        return Store(Home(self.folder / member).database)

    def propose(
        self, lengths: Sequence[int] = (64, 64, 64), *, run: str = RUN, start: bool = True, **aggregation: object
    ) -> Plan:
        """Propose a run of sums of these lengths, approved by everybody, to be started now or by `start_run`."""
        terms = {"on_membership_change": "continue", "setup_seconds": 6.0, "round_seconds": 20.0, **aggregation}
        plan = self.consortium.plan(aggregation=terms)
        with closing(self.storage()) as storage:
            charter = storage.charter()
            assert charter is not None
            proposal = self.consortium.proposal(plan, run, charter_digest=charter.charter.digest)
            storage.add_run(proposal)
            for member in self.members:
                decision = self.consortium.approval(proposal, member)
                storage.record_decision(decision, _NOW)
                with closing(self.store(member)) as store:
                    store.record_decision(proposal, decision, by_rule=False)
        self.plans[run], self.lengths = plan, tuple(lengths)
        if start:
            self.start_run(run)
        return plan

    def start_run(self, run: str) -> None:
        """Let the coordinator drive a run from now on."""
        with closing(self.storage()) as storage:
            storage.move_run(run, RunState.STARTING)

    def start(self, name: str, *points: Point, run: str = RUN) -> None:
        """Start the coordinator or an organisation."""
        options: dict[str, object] = {"home": str(self.folder / name), "run": run}
        if name == COORDINATOR:
            self.processes.start(name, "coordinator", points, {**options, "lengths": self.lengths})
        else:
            self.processes.start(name, "organisation", points, {**options, "lie": self.lies.get(name, "")})

    def drive(
        self,
        points: Mapping[str, Sequence[Point]] | None = None,
        *,
        again: Mapping[str, Sequence[Sequence[Point]]] | None = None,
        run: str = RUN,
        stays_dead: frozenset[str] = frozenset(),
    ) -> RunState:
        """Start everybody, start again whoever dies, and wait until the run is over for all; as `begin` and `finish`.

        Args:
            points: where each process dies, its first time.
            again: where it dies its second time, its third and so on.
            run: which.
            stays_dead: processes that are not started again.

        Returns:
            The run's state in the end.
        """
        self.begin(points, run=run)
        return self.finish(again=again, run=run, stays_dead=stays_dead)

    def begin(self, points: Mapping[str, Sequence[Point]] | None = None, *, run: str = RUN) -> None:
        """Start everybody."""
        for name in (COORDINATOR, *self.members):
            self.start(name, *(points or {}).get(name, ()), run=run)

    def kill_when_heard(self, member: str, kind: str, count: int = 1) -> None:
        """Kill a member as soon as the coordinator has dealt with the how many-th message of a kind of it."""

        def heard(entries: list[Entry]) -> bool:
            of_kind = [e for e in entries if e.what == "handled" and e.kind == kind and e.facts["sender"] == member]
            return len(of_kind) >= count

        self.tape.wait(heard, f"the coordinator has dealt with {kind} of {member}", _OVER_SECONDS)
        self.processes.kill(member)

    def finish(
        self,
        *,
        again: Mapping[str, Sequence[Sequence[Point]]] | None = None,
        run: str = RUN,
        stays_dead: frozenset[str] = frozenset(),
    ) -> RunState:
        """Start again whoever dies until the run is over for all, then end the coordinator."""
        lives = {name: list(later) for name, later in (again or {}).items()}
        seen = 0

        def news(entries: list[Entry]) -> bool:
            return any(entry.what in ("exited", "driven", "broke") for entry in entries[seen:])

        while not self._over(stays_dead):
            self.tape.wait(news, "the run is over", _OVER_SECONDS)
            fresh = self.tape.entries[seen:]
            seen += len(fresh)
            broken = [entry.kind for entry in fresh if entry.what == "broke"]
            assert not broken, broken[0]
            for entry in fresh:
                if was_killed(entry) and entry.process not in stays_dead:
                    later = lives.get(entry.process)
                    self.start(entry.process, *(later.pop(0) if later else ()), run=run)
        self.processes.end(COORDINATOR)
        # Checks open the databases here, where no disk of the processes is seen.
        for name, disk in self._disks.items():
            shutil.copytree(disk, self.folder / name, dirs_exist_ok=True)
        with closing(self.storage()) as storage:
            return storage.run_state(run)

    def _over(self, stays_dead: frozenset[str]) -> bool:
        entries = self.tape.entries
        driven = any(entry.process == COORDINATOR and entry.what == "driven" for entry in entries)
        return (
            driven
            and self.processes.alive(COORDINATOR)
            and not any(self.processes.alive(member) for member in self.members if member not in stays_dead)
        )

    def _settle_ports(self) -> None:
        (port,) = free_ports(1)
        settings = self.folder / COORDINATOR / "settings.toml"
        document = tomlkit.parse(settings.read_text())
        document["grpc_port"] = port
        settings.write_text(tomlkit.dumps(document))
        for member in self.members:
            endpoint = Endpoint(host=_HOST, port=port)
            own = OrganisationSettings(member_id=member, name=member.upper(), members=endpoint, catalogue=endpoint)
            Home(self.folder / member).settings.write_text(own.to_toml())
