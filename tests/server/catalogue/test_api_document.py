"""The API does what its OpenAPI document says, for data that the document allows and data that it does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.agreement.access_token import token_digest
from headwater.release.sample_statement import SampleRequest
from headwater_server.catalogue import CatalogueSettings, build_catalogue
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.sampling.limits import SampleLimits
from headwater_server.storage.access_port import READ_REGISTERED, SAMPLE, DatasetAccess, Level
from support.authority import write_authority
from support.catalogue_server import serve_https
from support.releases import NOON, make_table, publish
from support.sampled_release import SampledRelease, sampled_release, small_bundle

pytestmark = pytest.mark.slow

UNCHECKED = "positive_data_acceptance,object_level_authorization"
"""Most drawn names are of no dataset and most drawn jobs nobody's, so data of the right form is often refused; and
who owns a job is tested where jobs are."""

KNOWN = """
[[operations]]
include-operation-id = "request_sample"
parameters = {{ "path.name" = "visits", "path.version" = 1 }}

[[operations]]
include-operation-id = ["get_sample", "download_sample"]
parameters = {{ "path.job_id" = "{job}" }}
"""
"""What no document can name: a generator that draws on request, and a job whose rows are there."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampledRelease]:
    """Three datasets: one for everybody, one for those with a token, and one whose generator draws on request."""
    limits = SampleLimits(jobs_at_once=1000, jobs_per_day=10_000)
    with sampled_release(tmp_path_factory.mktemp("home"), small_bundle(), limits) as made:
        for name in ("adult", "stays"):
            publish(made.home.releases, made.consortium, make_table(40), name=name)
        made.storage.set_dataset_access("stays", DatasetAccess(Level.REGISTERED, ()), NOON)
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def token(world: SampledRelease) -> str:
    return world.token("anna", SAMPLE, READ_REGISTERED)


@pytest.fixture(scope="module")
def url(world: SampledRelease, authority: Path, token: str) -> Iterator[str]:
    # After the token: the door looks for new ones once a second.
    chosen = CatalogueSettings(
        consortium="Three Hospitals",
        address="https://127.0.0.1:9445",
        host="127.0.0.1",
        charter=world.consortium.charter_of,
        limits=CatalogueLimits.unlimited(),
    )
    app = build_catalogue(world.index, chosen, access=world.storage, samples=world.desk)
    with serve_https(app, authority.parent) as served:
        yield served


@pytest.mark.parametrize("shown", [False, True], ids=["without a token", "with a token"])
def test_every_call_is_answered_as_the_document_says(
    world: SampledRelease, url: str, token: str, authority: Path, tmp_path: Path, shown: bool
) -> None:
    manifest = world.signed.manifest
    job = world.desk.ask(token_digest(token)[:8], manifest, world.folder, SampleRequest(rows=20))
    assert world.drawer.step()
    (tmp_path / "schemathesis.toml").write_text(KNOWN.format(job=job.job_id))
    headers = ["-H", f"Authorization: Bearer {token}"] if shown else []
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json", "--url", url,
        *headers, "--tls-verify", str(authority), "--mode", "all", "--phases", "examples,coverage,fuzzing",
        "--checks", "all", "--exclude-checks", UNCHECKED, "--max-examples", "8", "--continue-on-failure",
        # Drawn tokens are refused at the door, before any call is reached.
        "--generation-with-security-parameters", "false",
        "--generation-deterministic", "--seed", "7", "--no-color",
    ]  # fmt: skip
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "COLUMNS": "120"}
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
