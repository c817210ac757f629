"""The typed Python API of an organisation: everything that `headwater-org` does, for embedding."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from headwater.agreement.approval import SignedApproval
from headwater.agreement.charter import SignedCharter
from headwater.agreement.charter_words import signatures_in_words
from headwater.agreement.documents import instant_of
from headwater.agreement.invitation import Invitation
from headwater.errors import HeadwaterError, InputError, OutOfOrder, StorageError
from headwater.rpc.certificates import load_certificate
from headwater.schema import Schema
from headwater.schema.conform import Problem, check
from headwater_client.connectors.entities import EntityRows
from headwater_client.connectors.opening import Rows, open_source
from headwater_client.coordinator import Coordinator
from headwater_client.dataset_api import DatasetApi
from headwater_client.decisions import Decisions
from headwater_client.keystore import KeyStore
from headwater_client.ledgers import Ledgers
from headwater_client.membership import Membership
from headwater_client.policy import DEFAULT_POLICY_TOML
from headwater_client.receipts import Receipts
from headwater_client.release_api import ReleaseApi
from headwater_client.reviews import CharterReview, CohortReview, OrganisationStatus, PlanReview, RunReview
from headwater_client.settings import Endpoint, Home, OrganisationSettings, write_text_atomically
from headwater_client.store.cohorts import Allowance, Trust
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.transport.enrolment import enrol

__all__ = ["CharterReview", "CohortReview", "Organisation", "OrganisationStatus", "PlanReview", "RunReview"]


class Organisation(ReleaseApi, DatasetApi):
    """One organisation's agent.

    ```python
    from headwater_client import Organisation

    with Organisation.open("organisation") as organisation:
        review = organisation.charter()             # compare review.signed.charter.digest out of band
        organisation.accept_charter(review.signed.charter.digest)
        organisation.approve(run, digest)
        organisation.serve(frame)                   # blocks; rows stay in this process
    ```
    """

    def __init__(self, membership: Membership, coordinator: Coordinator | None = None) -> None:
        """Use `open` or `enroll`; `coordinator` replaces the connection, for tests and embedding."""
        self._membership = membership
        self._coordinator = coordinator

    @classmethod
    def enroll(cls, token: str, home: str | Path) -> Self:
        """Make keys in `home` and trade an invitation for a certificate; an attempt that failed may be repeated.

        Args:
            token: one line from `headwater-coordinator invite`, good once.
            home: folder of this organisation, made if missing.

        Raises:
            InputError: the token is no invitation, or somebody enrolled in this folder before.
            PeerError: the coordinator is not the invitation's, or refused it.
            TransportError: the coordinator is away; try again.
            StorageError: the folder cannot be written.
        """
        place = Home(Path(home))
        if place.settings.exists():
            before = OrganisationSettings.from_toml(place.settings.read_text("utf-8")).member_id
            raise InputError(f"{before!r} is enrolled in {place.folder} already; give another folder with --home")
        invitation = Invitation.from_token(token)
        keys = KeyStore(place.keys)
        enrolled = enrol(invitation, keys)
        keys.save_certificates(enrolled.certificate_pem, enrolled.ca_pem)
        if not place.policy.exists():
            write_text_atomically(place.policy, DEFAULT_POLICY_TOML)
        settings = OrganisationSettings(
            member_id=enrolled.member_id,
            name=invitation.name,
            members=Endpoint(host=enrolled.members.host, port=enrolled.members.port),
            catalogue=Endpoint(host=enrolled.catalogue.host, port=enrolled.catalogue.port),
        )
        # Last: the file says that enrolment is complete.
        write_text_atomically(place.settings, settings.to_toml())
        return cls.open(place.folder)

    @classmethod
    def open(cls, home: str | Path) -> Self:
        """Open the folder of an enrolled organisation.

        Raises:
            InputError: nobody enrolled there, or a settings file is wrong.
            StorageError: the records cannot be opened.
        """
        return cls(Membership.open(Path(home)))

    @property
    def member_id(self) -> str:
        """This organisation in the charter."""
        return self._membership.member_id

    def close(self) -> None:
        """Close the records."""
        self._membership.store.close()

    def __enter__(self) -> Self:
        """The organisation itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # The charter.

    def charter(self) -> CharterReview:
        """The newest version of the charter at the coordinator, with who has signed it; looking accepts nothing.

        Raises:
            PeerError: a signature is wrong, the history goes back or is another one than is known here, or the version
                does not name this organisation by its own key and CA.
            TransportError: the coordinator is away.
        """
        with self._decisions() as decisions:
            return decisions.charter()

    def accept_charter(self, digest: str, instead_of: str = "") -> SignedCharter:
        """Sign the version of the charter that was compared out of band, and hold to it.

        A first version that was accepted never changes; a later one is in force once a threshold of the members of
        the version before signed it (protocol 1.1), and is never given up.

        Args:
            digest: its digest, as compared with the other members; at least the first 16 digits.
            instead_of: digest of another charter of the same version, accepted here before and withdrawn since.

        Raises:
            InputError: the coordinator has another charter, or another one of this version was accepted.
            PeerError: as `charter`.
            TransportError: the coordinator is away; run it again.
        """
        with self._decisions() as decisions:
            return decisions.accept_charter(digest, instead_of)

    def charter_in_force(self) -> SignedCharter:
        """The newest version of the charter in force, reached from the first one that this organisation accepted.

        Raises:
            InputError: none is accepted here.
            PeerError: a signature is missing or wrong, or the history goes back or is another one than is known here.
            TransportError: the coordinator is away.
        """
        with self._decisions() as decisions:
            return decisions.charter_in_force()

    # Runs and plans.

    def runs(self) -> tuple[RunReview, ...]:
        """All runs that were proposed, oldest first, with this organisation's own decisions.

        Raises:
            TransportError: the coordinator is away.
        """
        with self._decisions() as decisions:
            return decisions.runs()

    def plan(self, run: str) -> PlanReview:
        """A run's plan, verified, and what the policy says of it.

        Args:
            run: the run id, or its first digits if they name one run.

        Raises:
            InputError: there is no such run, or no charter is accepted yet.
            PeerError: no charter is in force yet, or the proposal is not the coordinator's under a version in force.
            TransportError: the coordinator is away.
        """
        with self._decisions() as decisions:
            return decisions.plan(run)

    def approve(self, run: str, digest: str) -> SignedApproval:
        """Approve one run of one plan, signed by this organisation's key.

        Args:
            run: as `plan`.
            digest: the plan's digest as read; at least the first 16 digits.

        Raises:
            InputError: the run has another plan, policy.toml forbids it, or it is not under the version of the charter
                that is in force and accepted here; the line lists every reason.
            PeerError, TransportError: as `plan`.
            OutOfOrder: the run has begun.
        """
        with self._decisions() as decisions:
            return decisions.approve(run, digest)

    def refuse(self, run: str, reason: str) -> SignedApproval:
        """Refuse one run; the reason goes to the coordinator and the other members.

        Raises:
            InputError: no reason is given, or as `plan`.
            PeerError, TransportError: as `plan`; a refusal counts here even when the coordinator did not hear it.
            OutOfOrder: the run has begun.
        """
        with self._decisions() as decisions:
            return decisions.refuse(run, reason)

    def keep_up(self) -> None:
        """Follow the charter's versions and apply the standing rule; `serve` calls it every few seconds.

        Raises:
            InputError: the version in force is not accepted here, or policy.toml is wrong.
            PeerError: no charter is in force yet, or it does not name this organisation.
            TransportError: the coordinator is away.
        """
        with self._decisions() as decisions:
            decisions.keep_up()

    # Records.

    @property
    def receipts(self) -> Receipts:
        """The signed receipts of the runs that this organisation was in; the coordinator is not asked."""
        return Receipts(self._membership)

    @property
    def ledger(self) -> Ledgers:
        """The privacy ledger of this organisation; the coordinator is not asked."""
        return Ledgers(self._membership)

    def cohorts(self) -> CohortReview:
        """With whom this organisation's rows were summed, and the exceptions that people here allowed."""
        store = self._membership.store
        return CohortReview(store.cohort_history(), store.allowances(), store.trusts(), store.rolled_back())

    def cohort_family(self, text: str) -> str:
        """The family whose later sums are bound to a cohort and whose name is, or begins with, this text.

        Raises:
            InputError: none does, or several do.
        """
        return self._membership.store.find_family(text)

    def allow_cohort(self, family: str, reason: str) -> Allowance:
        """Let the next sum of a family be over another cohort than the one on record (protocol 4.10).

        Args:
            family: its name, or as much of it as tells it from the others.
            reason: of the person who allows it.

        Raises:
            InputError: no cohort of such a family is in force, several begin so, or no reason is given.
        """
        store = self._membership.store
        return store.allow_cohort(store.find_family(family), reason, instant_of(datetime.now(UTC)))

    def trust_peer(self, member: str, reason: str) -> Trust:
        """Let a member back that shows fewer durable records than before (protocol 4.10).

        Raises:
            InputError: the member was never met, or no reason is given.
        """
        return self._membership.store.trust_peer(member, reason, instant_of(datetime.now(UTC)))

    # Rows.

    def check(self, rows: Rows, schema: Schema | None = None, run: str | None = None) -> tuple[Problem, ...]:
        """Everything in which rows depart from a schema, by column, with counts and without values.

        Args:
            rows: whatever `headwater_client.connectors.open_source` takes.
            schema: to check against; by default the schema of `run`, or of the newest run.
            run: as `plan`.

        Raises:
            InputError: the rows cannot be read, or there is no schema to check against.
            PeerError, TransportError: as `plan`.
        """
        source = open_source(rows)
        if schema is None:
            with self._decisions() as decisions:
                schema = decisions.schema_of(run)
        return check(source.read(schema), schema)

    def serve(self, rows: Rows, stop: threading.Event | None = None, *, entity: str | None = None) -> None:
        """Take part in every approved run with these rows; blocks until `stop` is set.

        Installs no signal handlers: `headwater-org serve` sets `stop` on SIGTERM and Ctrl-C.

        Args:
            rows: whatever `headwater_client.connectors.open_source` takes; read anew for each run.
            stop: set it from another thread or a signal handler; without one, Ctrl-C ends it.
            entity: column that names whose each row is; runs that protect persons are refused without one.

        Raises:
            InputError: a file, setting or version is wrong, or the rows have no such column.
            OutOfOrder: another process serves from this folder, or no charter is accepted yet.
            StorageError: the folder cannot be written.
        """
        from headwater_client.agent import serve

        if self._membership.store.pinned_charter() is None:
            raise OutOfOrder("no charter is accepted here; `headwater-org charter show`, then `charter accept`")
        source = open_source(rows, entity)
        if isinstance(source, EntityRows):
            source.check_column()
        serve(self._membership, source, stop or threading.Event(), self.keep_up)

    def status(self) -> OrganisationStatus:
        """How things stand; a coordinator that is away is told, not raised."""
        from headwater_client.agent import is_served

        runs: tuple[RunReview, ...] = ()
        problem = ""
        try:
            runs = self.runs()
        except HeadwaterError as error:
            problem = str(error)
        certificate = load_certificate(self._membership.keys.certificate_pem(), "this organisation's certificate")
        settings = self._membership.settings
        ledger, ledger_holds = self._ledger_standing()
        return OrganisationStatus(
            member_id=settings.member_id,
            name=settings.name,
            coordinator=str(settings.members),
            certificate_expires=certificate.not_valid_after_utc,
            charter=self._membership.store.pinned_charter(),
            charter_standing=self._charter_standing(),
            ledger=ledger,
            ledger_holds=ledger_holds,
            serving=is_served(self._membership.home),
            reachable=not problem,
            problem=problem,
            runs=runs,
        )

    # Parts.

    def _charter_standing(self) -> str:
        store = self._membership.store
        pinned, accepted = store.pinned_charter(), store.accepted_charter()
        if pinned is None or accepted is None:
            return "none accepted yet: headwater-org charter show"
        if store.charter_history() is None:
            return signatures_in_words(pinned)
        standing = f"version {pinned.charter.version}: in force"
        if pinned.charter.digest in (accepted.charter.digest, accepted.charter.previous):
            return standing
        return f"{standing} and not accepted here yet: headwater-org charter show"

    def _ledger_standing(self) -> tuple[str, bool]:
        try:
            count = len(self._membership.store.ledger())
        except StorageError as error:
            return str(error), False
        return "1 entry" if count == 1 else f"{count} entries", True

    @contextmanager
    def _decisions(self) -> Iterator[Decisions]:
        if self._coordinator is not None:
            yield Decisions(self._membership, self._coordinator)
            return
        with self._membership.channel() as channel:
            yield Decisions(self._membership, ConsortiumClient(channel))
