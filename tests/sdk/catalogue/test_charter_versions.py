"""A researcher and the versions of a charter: any of one history will do, another history or an older one never."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.catalogue import (
    CatalogueClient,
    add_catalogue,
    download_release,
    follow_charter,
    load_dataset,
    pinned_charter,
    read_catalogues,
)
from headwater.errors import InputError, PeerError, ReleaseRefused
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_consortium, publish


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[RunningCatalogue]:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with run_catalogue(folder) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def add(home: Path, running: RunningCatalogue, digest: str) -> None:
    add_catalogue(home, running.url, running.ca.read_text(), digest)


def test_a_later_version_is_added_by_its_own_digest_with_all_before_it(home: Path, catalogue: RunningCatalogue) -> None:
    second = catalogue.consortium.bring_in_force(consortium="Renamed")
    add(home, catalogue, second.charter.digest)
    assert pinned_charter(home, second.charter.digest) == second.charter
    assert pinned_charter(home, catalogue.consortium.digest).version == 1
    assert [request.split()[1] for request in catalogue.requests] == ["/api/v1/charter", "/api/v1/charters/1"]


def test_a_version_that_follows_the_pinned_one_is_followed_and_kept(home: Path, catalogue: RunningCatalogue) -> None:
    add(home, catalogue, catalogue.consortium.digest)
    second = catalogue.consortium.bring_in_force(consortium="Renamed")
    with CatalogueClient(read_catalogues(home)[0]) as client:
        assert follow_charter(home, client).newest == second.charter
    assert pinned_charter(home, second.charter.digest) == second.charter


def test_releases_of_every_version_are_read_with_and_without_a_network(home: Path, catalogue: RunningCatalogue) -> None:
    publish(catalogue.releases, catalogue.consortium)
    second = catalogue.consortium.bring_in_force(consortium="Renamed")
    publish(catalogue.releases, catalogue.consortium, charter_digest=second.charter.digest)
    for pinned in (catalogue.consortium.digest, second.charter.digest):
        add(home, catalogue, pinned)
        for version in (1, 2):
            assert load_dataset("visits", version).num_rows == 500
        asked = len(catalogue.requests)
        for version in (1, 2):
            load_dataset("visits", version)
        assert len(catalogue.requests) == asked


def test_a_release_of_no_version_of_the_history_is_refused(home: Path, catalogue: RunningCatalogue) -> None:
    publish(catalogue.releases, catalogue.consortium, charter_digest="77" * 32)
    catalogue.consortium.bring_in_force(consortium="Renamed")
    add(home, catalogue, catalogue.consortium.digest)
    with pytest.raises(ReleaseRefused, match="made under charter 7777777777777777"):
        load_dataset("visits", 1)


def test_a_catalogue_that_goes_back_behind_the_pinned_version_is_refused(
    home: Path, catalogue: RunningCatalogue, tmp_path: Path
) -> None:
    publish(catalogue.releases, catalogue.consortium)
    second = catalogue.consortium.bring_in_force(consortium="Renamed")
    add(home, catalogue, second.charter.digest)
    catalogue.consortium.later.clear()
    with CatalogueClient(read_catalogues(home)[0]) as client, pytest.raises(PeerError, match="rolled back"):
        download_release(client, follow_charter(home, client), "visits", 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(PeerError, match="none of the versions before it"):
        add(home, catalogue, second.charter.digest)


def test_a_version_without_the_former_members_signatures_is_not_followed(
    home: Path, catalogue: RunningCatalogue
) -> None:
    add(home, catalogue, catalogue.consortium.digest)
    second = catalogue.consortium.bring_in_force(consortium="Renamed")
    catalogue.consortium.later[0] = second.model_copy(
        update={"signatures": {member: second.signatures[member] for member in ("east", "north")}}
    )
    with CatalogueClient(read_catalogues(home)[0]) as client, pytest.raises(PeerError, match="not signed by west"):
        follow_charter(home, client)
    with pytest.raises(InputError, match="is not pinned here"):
        pinned_charter(home, second.charter.digest)


def test_another_history_is_not_followed(home: Path, catalogue: RunningCatalogue) -> None:
    add(home, catalogue, catalogue.consortium.digest)
    stranger = make_consortium(ca_digest=catalogue.consortium.charter.charter.ca_digest)
    object.__setattr__(catalogue.consortium, "charter", stranger.charter)
    catalogue.consortium.later.append(stranger.bring_in_force(consortium="Strangers"))
    with CatalogueClient(read_catalogues(home)[0]) as client, pytest.raises(PeerError, match="follows another"):
        follow_charter(home, client)
