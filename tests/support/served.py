"""A coordinator as operators have it: a home folder, a database, and both listeners on free ports of loopback."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from headwater.agreement.approval import RunProposal, SignedProposal
from headwater.agreement.invitation import Invitation
from headwater.agreement.plan import Plan
from headwater_client import Organisation
from headwater_client.cli import app as organisation_app
from headwater_client.transport.diagnosis import Endpoint
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.cli import app as coordinator_app
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.services.aggregation import AggregationService
from headwater_server.services.catalogue import CatalogueService
from headwater_server.services.consortium import ConsortiumService
from headwater_server.services.enrolment import EnrolmentService, Listeners
from headwater_server.services.hub import AggregationHub
from headwater_server.services.releases import ReleasesService
from headwater_server.services.server import Listener, enrolment_listener, member_listener
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import SqlStorage
from support.consortium import CREATED
from support.rpc import LOOPBACK, LoopThread

__all__ = ["ServedCoordinator", "coordinate", "organise"]

_TERMINAL = CliRunner(env={"COLUMNS": "240", "NO_COLOR": "1"})


def coordinate(*arguments: str, home: Path) -> Result:
    """Run `headwater-coordinator`."""
    return _TERMINAL.invoke(coordinator_app, [*arguments, "--home", str(home)])


def organise(*arguments: str, home: Path) -> Result:
    """Run `headwater-org`."""
    return _TERMINAL.invoke(organisation_app, [*arguments, "--home", str(home)])


class ServedCoordinator:
    """What `headwater-coordinator serve` serves to organisations, without Flower and the catalogue."""

    def __init__(self, folder: Path, loop: LoopThread) -> None:
        """Set the home up and start both listeners."""
        made = coordinate("init", "--name", "River hospitals", home=folder)
        if made.exception is not None:
            raise made.exception
        self.folder, self._loop = folder, loop
        self.home = CoordinatorHome(folder)
        self.storage = SqlStorage(self.home.database_url(self.home.settings()))
        self.hub = AggregationHub()
        self._members = loop.run(self._start_members())
        self._enrolment = loop.run(self._start_enrolment())

    @property
    def members(self) -> Endpoint:
        """Where members dial."""
        return Endpoint(LOOPBACK, self._members.port)

    def enrol(self, member_id: str, folder: Path) -> None:
        """Invite an organisation and let it enrol in a new folder."""
        invitation = Invitation.create(
            host=LOOPBACK,
            port=self._enrolment.port,
            ca_sha256=self.home.authority().digest,
            member_id=member_id,
            name=member_id.upper(),
        )
        expires = datetime.now(UTC) + timedelta(hours=1)
        self.storage.add_invitation(invitation.secret_sha256, member_id, member_id.upper(), expires)
        Organisation.enroll(invitation.to_token(), folder).close()

    def propose(self, plan: Plan, run_id: str, charter_digest: str) -> None:
        """Propose a run."""
        proposal = RunProposal(run_id=run_id, plan=plan, charter_digest=charter_digest, created=CREATED)
        self.storage.add_run(SignedProposal.sign(proposal, self.home.charter_key()))

    def close(self) -> None:
        """Stop everything."""
        self._loop.run(self.hub.close())
        for listener in (self._members, self._enrolment):
            self._loop.run(listener.stop(0))
        self.storage.close()

    async def _start_members(self) -> Listener:
        storage, authority = self.storage, self.home.authority()
        listener = member_listener(
            ConsortiumService(storage, storage, storage),
            AggregationService(storage, self.hub),
            self.home.server_pair(),
            authority.certificate_pem,
            LOOPBACK,
            0,
            releases=ReleasesService(storage, storage, storage, storage, ReleaseFolders(self.home)),
            catalogue=CatalogueService(storage, FolderReleaseIndex(self.home.releases)),
        )
        await listener.start()
        return listener

    async def _start_enrolment(self) -> Listener:
        service = EnrolmentService(self.storage, self.home.authority(), Listeners(LOOPBACK, self.members.port, 1))
        listener = enrolment_listener(service, self.home.server_pair(), LOOPBACK, 0)
        await listener.start()
        return listener
