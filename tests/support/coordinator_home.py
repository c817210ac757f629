"""A coordinator's folder with a charter that everybody signed."""

from datetime import UTC, datetime
from pathlib import Path

from headwater_server.authority import Authority
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import SqlStorage
from support.consortium import ConsortiumInMemory

__all__ = ["home_with_charter"]


def home_with_charter(folder: Path, members: int = 3, *, disjoint_people: bool = False) -> CoordinatorHome:
    """Make it, as `init` and `charter propose` do, with so many members."""
    home = CoordinatorHome(folder)
    authority = Authority.create("Test consortium", datetime.now(UTC))
    home.create(
        CoordinatorSettings(consortium="Test consortium"),
        authority,
        authority.issue_server("coordinator", ["127.0.0.1"], datetime.now(UTC)),
    )
    consortium = ConsortiumInMemory(members, coordinator_key=home.charter_key())
    declared = {"disjoint_people": True} if disjoint_people else {}
    storage = SqlStorage(home.database_url(home.settings()))
    storage.add_charter(consortium.signed_charter(without=tuple(consortium.keys), **declared))
    charter = consortium.charter(**declared)
    for member, key in consortium.keys.items():
        storage.add_charter_signature(charter.digest, member, charter.signed_by(key))
    storage.close()
    return home
