"""What a benchmark of generators shows: tables, pictures, and the page that they are put into."""

import pathlib
import xml.etree.ElementTree
from collections.abc import Callable, Mapping, Sequence

import pytest

from generator.ablation import BUDGET, LINES, ablation_rows
from generator.ablation_report import describe_ablation
from generator.pictures import GROWTH, HYBRID, QUALITY, draw
from generator.report import describe
from generator.rows import Row, full_rows
from harness.documents import write_block
from harness.drawing import INK
from headwater.agreement.plan import Plan
from headwater.recipe.health import Watch
from headwater.recipe.settings import RecipeSettings
from headwater_server.simulation.overrides import override
from support.bench_rows import GOOD, full
from support.recipes import small_plan

# What a recipe of each kind reads of its settings: a change of anything else is none.
READ: Mapping[str, Sequence[Callable[[RecipeSettings], object]]] = {
    "hybrid": [
        lambda recipe: recipe.base,
        lambda recipe: recipe.encoding,
        lambda recipe: recipe.grouping,
        lambda recipe: recipe.mixture,
        lambda recipe: recipe.training,
        lambda recipe: recipe.training_rounds,
    ],
    "adversarial": [
        lambda recipe: recipe.encoding,
        lambda recipe: recipe.grouping,
        lambda recipe: recipe.network,
        lambda recipe: recipe.training,
        lambda recipe: recipe.training_rounds,
    ],
}


def blocks_are_even(text: str) -> bool:
    """Whether every table has as many cells in each of its lines."""
    tables = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("\n\n")]
    return all(len({line.count("|") for line in lines}) <= 1 for lines in tables)


def test_tables_of_a_full_run_are_even_and_name_every_table_and_every_number() -> None:
    text = describe({"machine": "a machine", "rows": full()})

    assert blocks_are_even(text)
    for words in (
        "#### Adult",
        "#### credit",
        "#### diabetes130",
        "#### magic",
        "#### Digits",
        "#### Growth",
        "plain FedAvg",
        "TabularARGN",
        "| adult-hybrid-iid | base (3) | .520 (.000) | .510 (.000) |",
        "hybrid, released however little is gained, IID",
    ):
        assert words in text
    assert text.count("| ok |") > 40
    assert "MISSED" not in text


def test_what_was_left_out_has_no_table_and_no_verdict() -> None:
    text = describe({"machine": "a machine", "rows": {"magic-mixture-iid": [dict(GOOD)]}})

    assert "#### magic" in text
    assert "#### Adult" not in text
    assert "Costs" not in text
    assert "not measured" in text


def test_spread_stands_beside_the_mean() -> None:
    rows = {"magic-mixture-iid": [{**GOOD, "gbm": 0.930}, {**GOOD, "gbm": 0.936}]}

    assert ".933 (.006)" in describe({"machine": "a machine", "rows": rows})


def test_a_failed_row_is_shown_as_failed() -> None:
    rows = {"magic-mixture-iid": [{"failed": "killed (status -9)"}]}
    text = describe({"machine": "a machine", "rows": rows})

    assert "magic-mixture-iid FAILED**: killed (status -9)" in text
    assert blocks_are_even(text)


def test_a_hybrid_that_gains_nothing_is_told_so_in_words() -> None:
    assert "no different: within the spread of seeds" in describe({"machine": "a machine", "rows": full()})


def test_pictures_are_svg_with_a_title_and_a_second_set_of_colours(tmp_path: pathlib.Path) -> None:
    written = draw(full(), tmp_path)

    assert {file.name for file in written} == {GROWTH, HYBRID, QUALITY}
    for file in written:
        assert xml.etree.ElementTree.parse(file).getroot().tag.endswith("svg")
        text = file.read_text(encoding="utf-8")
        assert "prefers-color-scheme:dark" in text
        # The rules of the dark set name the colours as the drawing has them.
        assert f"fill: {INK}" in text.split("</style>", 1)[1]


def test_nothing_measured_draws_nothing(tmp_path: pathlib.Path) -> None:
    assert draw({}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_block_of_a_page_is_replaced_and_the_rest_stays(tmp_path: pathlib.Path) -> None:
    page, picture = tmp_path / "page.md", tmp_path / "build" / "a.svg"
    picture.parent.mkdir()
    picture.write_text("<svg/>", encoding="utf-8")
    page.write_text("before\n\n<!-- begin x: filled in by make x -->\nold\n<!-- end x -->\n\nafter\n", encoding="utf-8")

    for _ in range(2):
        write_block(page, "x", "make x", "new ![p](a.svg)", [picture])

    told = "before\n\n<!-- begin x: filled in by make x -->\n\nnew ![p](figures/a.svg)\n\n<!-- end x -->\n\nafter\n"
    assert page.read_text(encoding="utf-8") == told
    assert (tmp_path / "figures" / "a.svg").is_file()


def test_a_page_without_the_marks_is_refused_and_left_alone(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a page", encoding="utf-8")

    with pytest.raises(SystemExit, match="begin x"):
        write_block(page, "x", "make x", "new")

    assert page.read_text(encoding="utf-8") == "a page"


def test_the_page_of_benchmarks_has_a_place_for_both() -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    for name, by in (("generator", "make bench-generator"), ("ablation", "make bench-ablation")):
        assert page.count(f"<!-- begin {name}: filled in by {by} -->") == page.count(f"<!-- end {name} -->") == 1


def test_changes_of_the_benchmarks_rows_are_plans_and_plain_fedavg_is_plain() -> None:
    rows = {row.name: row for row in full_rows() if row.kind == "simulated"}
    plans = {name: override(small_plan(row.settings["recipe"]), row.settings["changes"]) for name, row in rows.items()}
    plain = plans["adult-fedavg-label"].recipe

    assert (plain.condition, plain.training.server, plain.training.loss) == ("none", "mean", "classic")
    assert plain.training.moments == plain.training.anchor == plain.training.ema == plain.training.proximal == 0
    assert plain.adversarial.calibration == plain.health.remedies == 0
    # Nothing but weights that are not finite keeps a round from being taken.
    watch = Watch(plain.health, {"entropy_ratio": 1.0, "update_norm": 1.0, "duplicates": 0.0}, plain.training.clip)
    assert watch.flags({"entropy_ratio": 0.0, "update_norm": 20.0, "duplicates": 1.0, "critic_accuracy": 1.0}) == ()


@pytest.mark.parametrize("row", ablation_rows(), ids=lambda row: row.name)
def test_every_variant_of_the_ablation_is_a_plan(row: Row) -> None:
    # A setting that no plan has, or that a value does not fit, raises.
    assert isinstance(override(small_plan(), row.settings["changes"]), Plan)


@pytest.mark.parametrize("row", ablation_rows(), ids=lambda row: row.name)
def test_every_variant_of_the_ablation_changes_what_its_recipe_trains_with(row: Row) -> None:
    kind = row.settings["recipe"]
    plan = small_plan().model_copy(update={"recipe": RecipeSettings(kind=kind)})
    default = override(plan, BUDGET[kind]).recipe
    recipe = override(plan, row.settings["changes"]).recipe

    changed = any(read(recipe) != read(default) for read in READ[kind])
    assert changed is not row.name.endswith("-default-default")


def test_variants_of_a_line_have_names_of_their_own() -> None:
    names = [row.name for row in ablation_rows()]

    assert len(set(names)) == len(names)
    assert set(LINES) == {"hybrid", "adversarial"}


def test_the_ablation_prints_in_bold_what_differs_by_more_than_the_defaults_seeds() -> None:
    rows = {row.name: [dict(GOOD) for _ in row.seeds] for row in ablation_rows()}
    rows["magic-hybrid-default-default"] = [{**GOOD, "gbm": value} for value in (0.930, 0.931, 0.932)]
    rows["magic-hybrid-adversarial-rounds-2"] = [{**GOOD, "gbm": 0.9322}]
    rows["magic-hybrid-adversarial-rounds-10"] = [{**GOOD, "gbm": 0.900}]
    rows["magic-hybrid-refiner-s-anchor-0"] = [{"failed": "killed"}]
    text = describe_ablation({"machine": "a machine", "rows": rows})

    assert blocks_are_even(text)
    assert "| .932 |" in text
    assert "| **.900** |" in text
    assert "refiner's anchor: 0 (FAILED) | – |" in text
