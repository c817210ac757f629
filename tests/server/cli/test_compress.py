"""`compress` from a bundle to a smaller one: written when its rows are as good, else not at all."""

import math
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import headwater_server.cli.compress as command
from headwater.errors import InputError, ReleaseRefused
from headwater.evaluation.usefulness import Usefulness
from headwater.generator import compression, load_generator
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import MixtureSampler
from headwater.schema.writing import write_csv
from support.likeness import fitted_mixture
from support.recipes import small_table


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mixture, encoding = fitted_mixture(800)
    folder = tmp_path_factory.mktemp("bundles") / "generator"
    Bundle(MixtureSampler(mixture), encoding).save(folder)
    return folder


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_COMPARED", 20_000)


def components_of(folder: Path) -> int:
    sampler = Bundle.load(folder).sampler
    assert isinstance(sampler, MixtureSampler)
    return sampler.mixture.components


def run(*given: object) -> str:
    """The command as a person gives it."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    result = CliRunner().invoke(app, ["compress", *map(str, given)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_new_bundle_has_a_digest_of_its_own_and_draws_rows(bundle: Path, tmp_path: Path) -> None:
    said = run(bundle, "--to", tmp_path / "small")
    digest = Bundle.load(tmp_path / "small").digest
    assert digest in said.replace("\n", "")
    assert digest != Bundle.load(bundle).digest
    assert "TVD-2" in said
    sizes = [len(Bundle.load(each).sampler.to_bytes()) for each in (bundle, tmp_path / "small")]
    held = components_of(bundle)
    assert f"components: {held} before, {held} after; bytes: {sizes[0]:,} before, {sizes[1]:,} after" in said
    assert load_generator(tmp_path / "small", digest).sample(100, where={"ward": "a"}).num_rows == 100


def test_merged_components_are_counted_before_and_after(bundle: Path, tmp_path: Path) -> None:
    said = run(bundle, "--to", tmp_path / "small", "--components", 9, "--tolerance", 1)
    held = components_of(bundle)
    assert held > 9
    assert f"components: {held} before, 9 after" in said
    rows = {words[1]: words[3] for line in said.splitlines() if len(words := line.split()) > 8}
    assert (rows["original"], rows["compressed"]) == (str(held), "9")


def test_with_the_real_table_the_judge_scores_both(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.8123, "lr": 0.7})
    write_csv(small_table(300), tmp_path / "visits.csv")
    said = run(bundle, "--to", tmp_path / "small", "--data", tmp_path / "visits.csv", "--target", "outcome")
    assert said.count("0.8123") == 2
    lines = [line.rsplit(":", 1)[0] for line in said.splitlines() if line.endswith(" s")]
    assert lines == [
        "Making the mixture smaller",
        "Drawing and comparing 20,000 rows of each",
        "Scoring models that learn from rows of the original",
        "Scoring models that learn from rows of the compressed generator",
    ]


@pytest.mark.parametrize(
    ("target", "line"),
    [("income of the moon", "has no column 'income of the moon'"), ("smoker", "lacks the generator's column 'smoker'")],
)
def test_a_judge_that_cannot_score_is_refused_before_the_work(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, line: str
) -> None:
    monkeypatch.setattr(compression, "compress", lambda *_, **__: pytest.fail("the work began"))
    rows = small_table(300).to_arrow()
    write_csv(rows.drop_columns(["smoker"]) if target == "smoker" else rows, tmp_path / "visits.csv")
    with pytest.raises(InputError, match=line):
        run(bundle, "--to", tmp_path / "small", "--data", tmp_path / "visits.csv", "--target", target)


def test_rows_that_are_not_as_good_leave_no_bundle(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefused, match=r"above chance, at most 0\.001"):
        run(bundle, "--to", tmp_path / "small", "--components", 2, "--tolerance", 0.001)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_never_replaced_and_options_go_together(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        run(bundle, "--to", tmp_path)
    with pytest.raises(InputError, match="go together"):
        run(bundle, "--to", tmp_path / "small", "--target", "outcome")


def test_a_tolerance_that_is_no_number_is_refused_before_the_work(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "compress", lambda *_, **__: pytest.fail("the work began"))
    with pytest.raises(InputError, match="--tolerance is no number"):
        run(bundle, "--to", tmp_path / "small", "--tolerance", "nan")


def test_a_distance_that_is_no_number_lets_nothing_through(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "fidelity", lambda *_, **__: compression.Fidelity(0, math.nan, 0, 0))
    with pytest.raises(ReleaseRefused, match="nothing was written"):
        run(bundle, "--to", tmp_path / "small", "--tolerance", 1)
    assert list(tmp_path.iterdir()) == []
