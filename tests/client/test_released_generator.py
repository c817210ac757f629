"""A release that would publish its generator, at an organisation: held to the run, attacked, signed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import InputError, ReleaseRefused
from headwater.release import verify_release
from headwater.schema.writing import write_csv
from headwater_client import Organisation
from headwater_client.released_generator import released_bundle
from headwater_server.releasing import extras as coordinator_extras
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.settling import settle
from support.honest_audit import use_audit
from support.recipes import small_table
from support.review_world import World
from support.served import organise


@pytest.fixture(autouse=True)
def _honest(monkeypatch: pytest.MonkeyPatch) -> None:
    use_audit(monkeypatch)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        use_audit(patched)
        made = World(tmp_path_factory.mktemp("released"), private=True, terms="released")
    yield made
    made.coordinator.close()


def rows_of(folder: Path) -> Path:
    file = folder / "rows.csv"
    write_csv(small_table(seed=1).to_arrow(), file)
    return file


def test_every_organisation_attacks_the_generator_before_it_signs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for member, home in world.homes.items():
        with Organisation.open(home) as organisation:
            if member == "org-1":
                # An audit that did not ask the generator answers for nothing.
                with monkeypatch.context() as older:
                    older.setattr("headwater_client.release_decisions.released_bundle", lambda release: None)
                    organisation.review_release("visits", rows_of(tmp_path))
                with pytest.raises(InputError, match="did not attack it; run headwater-org release review"):
                    organisation.approve_release("visits", world.record.release_digest, "we are in a hurry")
            review = organisation.review_release("visits", rows_of(tmp_path))
            assert review.own is not None
            assert review.own.of_generator
            (found,) = [m for m in review.own.document.evidence.measures if m.check == "membership.latent"][:1]
            # Found in the training rows or too few to say: either way it stands there and is judged by G4.
            assert found.status in ("measured", "inconclusive")
            assert {each.gate for each in review.own.document.decision.findings if each.check == found.check} == {"G4"}
            signed = organisation.approve_release("visits", review.release.digest[:16])
            # Under a budget no verdict leaves.
            assert signed.decision.verdicts == {}
    settle(world.storage, ReleaseFolders(world.home))
    folder = world.home.releases / "visits" / str(world.record.version)
    manifest = verify_release(folder, world.charter).manifest
    assert (manifest.generator, manifest.provenance.generator_digest) == ("released", world.digest)


def test_who_reviews_is_told_what_leaves(world: World) -> None:
    world.record = world.wait()
    said = organise("release", "review", "visits", home=world.homes["org-2"]).output
    words = " ".join(said.split())
    assert "released: it may be published with the rows" in words, said


def test_more_than_the_plan_gives_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as lying:
        lying.setattr(coordinator_extras, "within", lambda terms, most: True)
        lying.setattr("headwater_server.releasing.preparing.agreed_terms", lambda request, plan, policy: "on request")
        world = World(tmp_path, private=True)
    with (
        Organisation.open(world.homes["org-1"]) as organisation,
        pytest.raises(ReleaseRefused, match="its generator is on request, the approved plan lets it be at most k"),
    ):
        organisation.review_release("visits")
    world.coordinator.close()


def test_generator_that_hides_more_than_a_generator_is_refused(world: World, tmp_path: Path) -> None:
    world.record = world.wait()
    with Organisation.open(world.homes["org-3"]) as organisation:
        release = organisation.review_release("visits").release
    assert released_bundle(release) is not None
    folder = release.folder / "generator"
    encoding = json.loads((folder / "encoding.json").read_bytes())
    (folder / "encoding.json").write_bytes(json.dumps(encoding, indent=1).encode())
    with pytest.raises(ReleaseRefused, match=r"cannot be read .*was altered"):
        released_bundle(release)
    # As a coordinator would put it up that signed such a bundle: every digest fits, and the file is not what it says.
    listed = json.loads((folder / "bundle.json").read_bytes())
    listed["files"]["encoding.json"] = sha256_hex((folder / "encoding.json").read_bytes())
    (folder / "bundle.json").write_bytes(canonical_json(listed))
    digest = sha256_hex((folder / "bundle.json").read_bytes())
    provenance = release.manifest.provenance.model_copy(update={"generator_digest": digest})
    hiding = release.manifest.model_copy(update={"provenance": provenance})
    with pytest.raises(ReleaseRefused, match="holds more than a generator"):
        released_bundle(replace(release, manifest=hiding))
