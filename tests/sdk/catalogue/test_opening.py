"""A catalogue as a program uses it: named once, searched, shown, loaded in every form, refused where it must be."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import headwater
from headwater.catalogue import (
    Catalogue,
    CatalogueClient,
    Dataset,
    cache_of,
    find_dataset,
    loading,
    read_catalogues,
)
from headwater.catalogue import frames as frames_module
from headwater.catalogue.refusals import RequestRefused
from headwater.errors import InputError, PeerError, ReleaseRefused
from headwater.release.layout import DATA, SCHEMA
from headwater.release.withdrawal import WITHDRAWN, SignedWithdrawal, Withdrawal
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table, publish

COLUMNS = 15
ROWS = 70_000


def wide_table() -> Table:
    """Fifteen columns in two row groups; the first counts the rows, so that statistics tell groups apart."""
    random = np.random.default_rng(5)
    numbers = [NumericColumn(name=f"value-{i}", lower=-10.0, upper=10.0) for i in range(COLUMNS - 2)]
    schema = Schema(
        name="wide",
        columns=(
            NumericColumn(name="row", lower=0, upper=ROWS, integer=True),
            CategoricalColumn(name="ward", categories=("surgery", "medicine")),
            *numbers,
        ),
    )
    columns: dict[str, NDArray[Any]] = {
        "row": np.arange(ROWS, dtype=np.float64),
        "ward": random.integers(0, 2, ROWS).astype(np.int32),
        **{column.name: random.normal(0, 1, ROWS).clip(-10, 10) for column in numbers},
    }
    return Table(schema, columns, ROWS)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium)
        publish(running.releases, running.consortium, wide_table(), name="wide")
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def opened(home: Path, catalogue: RunningCatalogue) -> Iterator[Catalogue]:
    with headwater.catalogue(catalogue.url, charter=catalogue.consortium.digest, ca=catalogue.ca) as opened:
        catalogue.requests.clear()
        yield opened


def asked(catalogue: RunningCatalogue, path: str) -> list[str]:
    """Ranges of a file that were asked for; "" for all of it."""
    return [
        each.rpartition(path)[2].strip() for each in catalogue.requests if each.split(" ")[1].endswith(f"/files/{path}")
    ]


def test_nothing_is_trusted_on_first_use(home: Path, catalogue: RunningCatalogue) -> None:
    with pytest.raises(InputError, match=r"is not known here.*charter=DIGEST and ca=FILE"):
        headwater.catalogue(catalogue.url)
    with pytest.raises(InputError, match="is not known here"):
        headwater.catalogue(catalogue.url, charter=catalogue.consortium.digest)
    with pytest.raises(PeerError, match="the pinned one is 0000000000000000"):
        headwater.catalogue(catalogue.url, charter="0" * 64, ca=catalogue.ca)
    assert read_catalogues(home) == ()


def test_a_catalogue_that_was_named_is_known(opened: Catalogue, catalogue: RunningCatalogue) -> None:
    assert opened.consortium == "Three Hospitals"
    assert repr(opened) == f"Catalogue(url={catalogue.url!r})"
    with headwater.catalogue(catalogue.url) as again:
        assert [each.name for each in again.search()] == ["visits", "wide"]
    with headwater.catalogue(catalogue.url, charter=catalogue.consortium.digest, ca=catalogue.ca.read_text()) as again:
        assert again.charter == opened.charter
    with pytest.raises(InputError, match="is not known here"):
        headwater.catalogue(catalogue.url, charter="1" * 64)


def test_search_finds_by_words_privacy_and_rows(opened: Catalogue) -> None:
    assert [each.name for each in opened.search("HOSPITAL wid")] == ["wide"]
    assert [each.name for each in opened.search("value-12")] == ["wide"], "a column is found"
    assert [each.description for each in opened.search("stays")] == ["Stays of five years in three hospitals."] * 2
    assert [each.name for each in opened.search(min_rows=501)] == ["wide"]
    assert opened.search(privacy="dp") == ()
    assert len(opened.search(privacy="none")) == 2
    assert opened.search("' OR 1=1 --\x00<script>") == ()
    with pytest.raises(InputError, match="neither 'dp' nor 'none'"):
        opened.search(privacy="all")  # type: ignore[arg-type]
    with pytest.raises(RequestRefused, match="the catalogue refused: q: the search has 17 words; give at most 16"):
        opened.search("a " * 17)


def test_a_dataset_shows_itself(opened: Catalogue) -> None:
    shown = opened.show("visits")
    assert (shown.name, shown.version, shown.rows) == ("visits", 1, 500)
    assert shown.columns[1] == "<b>crea|tinine`</b>"
    said = repr(shown)
    for words in (
        "NOT DIFFERENTIALLY PRIVATE",
        "not audited",
        "500 rows of 5 columns",
        "licence",
        "cite: Three Hospitals",
    ):
        assert words in said
    page = shown._repr_html_()
    assert "&lt;b&gt;crea|tinine`&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<script" not in page
    assert "data.parquet" in page
    assert shown.to_dict()["digest"] == shown.manifest.digest
    assert shown.load(columns=["age"]).num_rows == 500


def test_unknown_names_versions_and_columns_are_told_what_is_like_them(opened: Catalogue) -> None:
    with pytest.raises(InputError, match="has no dataset 'visit'; did you mean 'visits'"):
        opened.show("visit")
    with pytest.raises(InputError, match="no known catalogue has a dataset 'wide2'; did you mean 'wide'"):
        headwater.load_dataset("wide2")
    with pytest.raises(InputError, match="no version 9; it has 1"):
        opened.show("visits", 9)
    with pytest.raises(InputError, match="no column 'wrd'; did you mean 'ward'"):
        opened.load_dataset("visits", columns=["wrd"])
    with pytest.raises(InputError, match="no column 'Age'"):
        opened.load_dataset("visits", filters=[("Age", ">", 3)])
    with pytest.raises(InputError, match="has no configuration 'views'; it has default"):
        opened.load_dataset("visits", config="views")
    with pytest.raises(InputError, match="no option 'column'; did you mean 'columns'"):
        opened.load_dataset("visits", column=["age"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": "age"}, r"write columns=\['age'\]"),
        ({"columns": []}, "names no column"),
        ({"as_": "spark"}, "is no form of a table"),
        ({"config": "best"}, "choose one of default, balanced, views, large"),
        ({"filters": [("age", "~", 3)]}, "the filters cannot be used"),
        ({"filters": [("age", ">", "old")]}, "the filters cannot be used"),
        ({"filters": 7}, "the filters cannot be used"),
        ({"as_": "dataset", "columns": ["age"]}, "give them to its scanner"),
        ({"as_": "dataset", "remote": True}, "give them to its scanner"),
    ],
)
def test_options_that_cannot_be_used_are_refused(opened: Catalogue, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        opened.load_dataset("visits", **options)


def test_every_form_holds_the_same_rows(opened: Catalogue) -> None:
    table = opened.load_dataset("visits")
    assert table.equals(make_table().to_arrow())
    assert opened.load_dataset("visits", as_="pandas")["ward"].to_list() == table["ward"].to_pylist()
    assert opened.load_dataset("visits", as_="polars")["age"].to_list() == table["age"].to_pylist()
    tensors = opened.load_dataset("visits", as_="torch")
    assert len(tensors) == 500
    assert tensors.categories["ward"] == ("surgery", "medicine", "intensive care")
    texts = [tensors.categories["ward"][code] for code in tensors.columns["ward"].tolist()]
    assert texts == table["ward"].to_pylist()
    assert int(tensors.columns["<b>crea|tinine`</b>"].isnan().sum()) == table["<b>crea|tinine`</b>"].null_count
    assert tensors.matrix(["age", "admitted"]).shape == (500, 2)


def test_codes_of_categories_do_not_depend_on_the_rows_that_were_kept(opened: Catalogue) -> None:
    kept = opened.load_dataset("visits", as_="torch", filters=[("ward", "==", "intensive care")])
    assert set(kept.columns["ward"].tolist()) == {2}


@pytest.mark.parametrize(
    ("form", "command"),
    [("pandas", "pip install pandas"), ("polars", "pip install polars"), ("torch", "headwater[generator]")],
)
def test_a_missing_library_is_told_before_anything_is_fetched(
    opened: Catalogue, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch, form: str, command: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(InputError) as caught:
        opened.load_dataset("visits", as_=form)
    assert command in str(caught.value)
    assert catalogue.requests == []
    assert set(frames_module.FORMS) == {"arrow", "dataset", "pandas", "polars", "torch"}


def test_one_column_of_fifteen_comes_by_verified_ranges(opened: Catalogue, catalogue: RunningCatalogue) -> None:
    whole = (catalogue.releases / "wide" / "1" / DATA).stat().st_size
    column = opened.load_dataset("wide", columns=["value-3"], remote=True)
    assert column.equals(wide_table().to_arrow().select(["value-3"]))
    fetched = sum(_length(each) for each in asked(catalogue, DATA))
    assert "" not in asked(catalogue, DATA)
    assert fetched < whole / 4
    # The evidence was checked as for a whole copy, and the rows were not kept.
    (kept,) = cache_of(Path(opened._home)).entries()
    assert not (kept.folder / DATA).exists()
    assert (kept.folder / SCHEMA).exists()


def test_row_groups_that_filters_exclude_are_not_fetched(opened: Catalogue, catalogue: RunningCatalogue) -> None:
    rows = opened.load_dataset("wide", columns=["row", "value-0"], filters=[("row", ">=", 69_900)], remote=True)
    assert rows["row"].to_pylist() == list(range(69_900, ROWS))
    one_group = sum(_length(each) for each in asked(catalogue, DATA))
    catalogue.requests.clear()
    opened.load_dataset("wide", columns=["row", "value-0"], remote=True)
    assert one_group < sum(_length(each) for each in asked(catalogue, DATA)) * 0.5


def test_a_part_of_a_large_file_is_read_by_ranges_by_itself(
    opened: Catalogue, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.load_dataset("visits", columns=["age"])
    assert asked(catalogue, DATA) == [""]
    monkeypatch.setattr(loading, "PARTS_FROM_BYTES", 1 << 20)
    catalogue.requests.clear()
    opened.load_dataset("wide", columns=["ward"])
    assert "" not in asked(catalogue, DATA)
    # What is in the cache is not asked for again.
    opened.load_dataset("wide", remote=False)
    catalogue.requests.clear()
    opened.load_dataset("wide", columns=["ward"], remote=True)
    assert asked(catalogue, DATA) == []


def test_a_block_that_was_changed_is_refused(opened: Catalogue, catalogue: RunningCatalogue) -> None:
    path = catalogue.releases / "wide" / "1" / DATA
    sound = path.read_bytes()
    changed = bytearray(sound)
    changed[len(sound) // 2] ^= 1
    path.write_bytes(bytes(changed))
    try:
        with pytest.raises(ReleaseRefused, match=r"data\.parquet at byte [0-9,]+ is not what was signed"):
            opened.load_dataset("wide", columns=[f"value-{i}" for i in range(COLUMNS - 2)], remote=True)
    finally:
        path.write_bytes(sound)


def test_a_withdrawn_version_is_refused_with_its_reason(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with run_catalogue(folder) as own:
        for _ in range(2):
            publish(own.releases, own.consortium)
        with headwater.catalogue(own.url, charter=own.consortium.digest, ca=own.ca) as opened:
            opened.load_dataset("visits", 2)
            said = Withdrawal(
                name="visits",
                version=2,
                release=opened.show("visits", 2).manifest.digest,
                withdrawn="2026-11-22T10:00:00Z",
                reason="A member found that its consent was missing.",
                replaced_by=1,
            )
            notice = SignedWithdrawal.sign(said, own.consortium.coordinator_key).to_bytes()
            withdrawn = own.releases / "visits" / "2"
            (withdrawn / WITHDRAWN).write_bytes(notice)
            # As an operator's command leaves it: the rows are gone.
            (withdrawn / DATA).unlink()
            for allowed in (False, True):
                for kept in cache_of(home).entries() if allowed else ():
                    cache_of(home).remove(kept.folder)
                with pytest.raises(ReleaseRefused, match=r"consent was missing; use version 1") as caught:
                    opened.load_dataset("visits", 2, allow_withdrawn=allowed)
                assert caught.value.code == "withdrawn"
            assert isinstance(shown := opened.show("visits", 2), Dataset)
            assert "WITHDRAWN on 2026-11-22: A member found" in repr(shown)
            assert opened.show("visits").version == 1
            assert headwater.load_dataset("visits").num_rows == 500


def test_a_kept_copy_of_a_withdrawn_version_is_given_where_it_is_wanted(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with run_catalogue(folder) as own:
        publish(own.releases, own.consortium)
        with headwater.catalogue(own.url, charter=own.consortium.digest, ca=own.ca) as opened:
            opened.load_dataset("visits")
            said = Withdrawal(
                name="visits",
                version=1,
                release=opened.show("visits").manifest.digest,
                withdrawn="2026-11-22T10:00:00Z",
                reason="A column was encoded wrongly.",
            )
            notice = SignedWithdrawal.sign(said, own.consortium.coordinator_key).to_bytes()
            (own.releases / "visits" / "1" / WITHDRAWN).write_bytes(notice)
            with pytest.raises(ReleaseRefused, match=r"encoded wrongly.*allow_withdrawn=True"):
                opened.load_dataset("visits")
            assert opened.load_dataset("visits", allow_withdrawn=True).num_rows == 500
    # Known from then on without a network too.
    with pytest.raises(ReleaseRefused, match="encoded wrongly"):
        headwater.load_dataset("visits", 1)
    assert headwater.load_dataset("visits", 1, allow_withdrawn=True).num_rows == 500


def test_what_was_seen_and_signed_once_is_not_forgotten(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with run_catalogue(folder) as own:
        for _ in range(2):
            publish(own.releases, own.consortium)
        with headwater.catalogue(own.url, charter=own.consortium.digest, ca=own.ca) as opened:
            opened.load_dataset("visits")
            # The catalogue shows an older version as the newest.
            newest, hidden = own.releases / "visits" / "2", tmp_path / "hidden"
            newest.rename(hidden)
            asked: list[Callable[[], object]] = [
                *(partial(load, "visits") for load in (opened.load_dataset, headwater.load_dataset, opened.show)),
                *(partial(load, "visits") for load in (opened.open_dataset, opened.load_generator)),
                partial(headwater.load_generator, "visits"),
                partial(opened.request_sample, "visits", 10),
                partial(headwater.request_sample, "visits", 10),
                # As `headwater show`, `download` and `sample` find it.
                partial(find_dataset, home, "visits"),
            ]
            for ask in asked:
                with pytest.raises(ReleaseRefused, match="version 2 was loaded from it before"):
                    ask()
            assert find_dataset(home, "visits", 1)[1] == 1
            assert opened.load_dataset("visits", 1).num_rows == 500
            hidden.rename(newest)
            said = Withdrawal(
                name="visits",
                version=2,
                release=opened.show("visits", 2).manifest.digest,
                withdrawn="2026-11-22T10:00:00Z",
                reason="A column was encoded wrongly.",
            )
            notice = SignedWithdrawal.sign(said, own.consortium.coordinator_key).to_bytes()
            (newest / WITHDRAWN).write_bytes(notice)
            # Taken back by a signature: the older one is the newest that stands.
            assert opened.load_dataset("visits").num_rows == 500
            # The catalogue hides the notice; a part of the rows would come without a copy.
            (newest / WITHDRAWN).unlink()
            for kept in cache_of(home).entries():
                cache_of(home).remove(kept.folder)
            with pytest.raises(ReleaseRefused, match="encoded wrongly"):
                opened.load_dataset("visits", 2, columns=["age"], remote=True)


def test_a_view_of_a_closed_catalogue_is_frozen(opened: Catalogue) -> None:
    with pytest.raises(AttributeError):
        opened.url = "https://elsewhere"  # type: ignore[misc]


def test_a_researchers_import_loads_nothing_heavy() -> None:
    program = (
        "import sys, headwater\n"
        "headwater.catalogue, headwater.load_dataset\n"
        "heavy = ('torch', 'flwr', 'grpc', 'sqlalchemy', 'fastapi', 'starlette', 'pandas', 'polars', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_the_client_reads_a_listing_that_says_more(opened: Catalogue, home: Path) -> None:
    (known,) = read_catalogues(home)
    with CatalogueClient(known) as client:
        assert {listing.withdrawn for listing in client.releases()} == {None}


def _length(asked_range: str) -> int:
    first, _, last = asked_range.removeprefix("bytes=").partition("-")
    return int(last) - int(first) + 1
