"""A released generator by its dataset's name: fetched over HTTPS, verified to its digest, drawn from."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import headwater
from headwater.catalogue import add_catalogue
from headwater.cli import app
from headwater.errors import InputError, ReleaseRefused
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import MixtureSampler
from headwater.release import ReleaseExtras
from support.audited_release import pending_release, sign_release
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.mixtures import mixture_of, together


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    """One dataset in three versions: its generator released, on request, kept."""
    folder = tmp_path_factory.mktemp("catalogue")
    _, encoding, form, rows = together()
    digest = Bundle(MixtureSampler(mixture_of(form, rows)), encoding).save(folder / "bundle")
    with run_catalogue(folder) as running:
        for version, extras in (
            (1, ReleaseExtras((), folder / "bundle", "released")),
            (2, ReleaseExtras(terms="on request")),
            (3, None),
        ):
            place = running.releases / "visits" / str(version)
            options = {"version": version, "extras": extras, "generator_digest": digest}
            sign_release(pending_release(place, running.consortium, **options), running.consortium)  # type: ignore[arg-type]
        yield running


@pytest.fixture
def home(tmp_path: Path, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    add_catalogue(home, catalogue.url, catalogue.ca.read_text(), catalogue.consortium.digest)
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    return home


def test_a_released_generator_is_drawn_from_by_name(home: Path, catalogue: RunningCatalogue) -> None:
    generator = headwater.load_generator("visits", version=1)
    women = generator.sample(500, where={"floor": "2"}, seed=5)
    assert women.column("floor").unique().to_pylist() == ["2"]
    assert next(generator.stream(100, start=10)).num_rows == 100
    before = len(catalogue.requests)
    # A version never changes: the second time nobody is asked, and everything is verified again.
    again = headwater.load_generator("visits", version=1)
    assert again.sample(500, where={"floor": "2"}, seed=5).equals(women)
    assert len(catalogue.requests) == before
    with headwater.catalogue(catalogue.url) as opened:
        assert opened.load_generator("visits", 1).kind == "mixture"
    fetched = [line.split("/files/")[1] for line in catalogue.requests if "/files/generator" in line]
    assert sorted(fetched) == ["generator/bundle.json", "generator/encoding.json", "generator/generator.safetensors"]


def test_what_is_not_released_is_not_there(home: Path) -> None:
    for version, reason in ((2, "is on request: the coordinator samples rows"), (None, "is kept: its rows are all")):
        with pytest.raises(InputError, match=reason):
            headwater.load_generator("visits", version)
    with pytest.raises(InputError, match="version 9"):
        headwater.load_generator("visits", 9)


def test_an_altered_generator_is_refused(home: Path, catalogue: RunningCatalogue) -> None:
    headwater.load_generator("visits", 1)
    (file,) = home.glob("cache/*/visits/1/generator/generator.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ReleaseRefused, match="damaged copy"):
        headwater.load_generator("visits", 1)


def test_the_command_draws_what_the_library_draws(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    options = ["--version", "1", "--rows", "300", "--where", "floor=2", "--seed", "5", "--out", str(out)]
    said = CliRunner().invoke(app, ["sample", "visits", *options], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    assert "Differentially private: ε = " in said.output
    assert "Drawing rows costs nothing more. Unsigned, no release." in said.output
    wanted = headwater.load_generator("visits", 1).sample(300, where={"floor": "2"}, seed=5)
    assert pq.read_table(out).to_pydict() == wanted.to_pydict()
    balanced = ["--version", "1", "--balanced", "floor", "--rows", "100", "--out", str(tmp_path / "b.csv")]
    assert CliRunner().invoke(app, ["sample", "visits", *balanced], catch_exceptions=False).exit_code == 0
    assert (tmp_path / "b.csv").read_text().splitlines()[0].endswith('"weight"')
    # Nothing is written over, and nothing is drawn first.
    again = CliRunner().invoke(app, ["sample", "visits", *options])
    assert isinstance(again.exception, InputError)
    assert "is there already" in str(again.exception)


def test_a_mixture_is_drawn_without_torch(home: Path) -> None:
    # Nothing on the way loads it, so that it need not be there.
    program = (
        "import sys, headwater; generator = headwater.load_generator('visits', 1); generator.sample(9, views=3); "
        "print(generator.kind, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout.strip(), result.stderr) == ("mixture False", "")
