"""The card: what it must say, and that no name or title can add markup to it."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headwater.agreement.differencing import Differencing
from headwater.release import Provenance, ReleaseFacts
from headwater.release.card import dataset_card
from headwater.release.privacy_claim import Privacy
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from support.claims import make_claim
from support.releases import make_table

SCHEMA = make_table(1).schema


def facts(
    title: str = "Visits",
    description: str = "",
    differencing: Differencing = "unprotected",
    privacy: Privacy = "none",
    schema_from_rows: bool = False,
) -> ReleaseFacts:
    return ReleaseFacts(
        name="visits",
        version=2,
        title=title,
        description=description,
        created="2026-11-21T12:00:00Z",
        differencing=differencing,
        privacy=privacy,
        schema_from_rows=schema_from_rows,
        provenance=Provenance(
            consortium="Three Hospitals",
            organisations=3,
            run_id="0" * 32,
            plan_digest="1" * 64,
            charter_digest="2" * 64,
            schema_digest=SCHEMA.digest,
            software="headwater 0",
        ),
    )


def header(card: str) -> Any:
    _, front, _ = card.split("---\n", 2)
    return yaml.safe_load(front)


@pytest.mark.parametrize(
    "sentence",
    [
        "Privacy: NONE",
        "NOT DIFFERENTIALLY PRIVATE",
        "No protection against differencing",
        "The coordinator saw exact sums",
        "Signed by the coordinator; no organisation has signed yet",
        "What it is not to be used for",
        'headwater.load_dataset("visits")',
    ],
)
def test_card_says_aloud(sentence: str) -> None:
    assert sentence in dataset_card(facts(), SCHEMA, 500)


def test_card_of_a_strict_run_claims_one_cohort_and_no_more() -> None:
    card = dataset_card(facts(differencing="one cohort"), SCHEMA, 500)
    assert "No protection against differencing" not in card
    assert "One cohort, no differencing of sums" in card
    assert "nothing of what one sum tells by itself" in card


def test_header_is_what_hubs_read() -> None:
    read = header(dataset_card(facts(), SCHEMA, 500))
    assert read["pretty_name"] == "Visits"
    assert read["size_categories"] == ["n<1K"]
    assert read["task_categories"] == ["tabular-classification"]
    assert read["configs"] == [{"config_name": "default", "data_files": "data.parquet", "default": True}]
    assert "not-differentially-private" in read["tags"]


@pytest.mark.parametrize(
    ("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10**7, "10M<n<100M"), (10**8, "n>100M")]
)
def test_size_category_follows_the_rows(rows: int, size: str) -> None:
    assert header(dataset_card(facts(), SCHEMA, rows))["size_categories"] == [size]


def test_unconfirmed_schema_is_said() -> None:
    guessed = Schema(name="t", columns=(NumericColumn(name="a", lower=0, upper=1, unconfirmed=("lower",)),))
    assert "Schema read from the rows" in dataset_card(facts(), guessed, 5)
    assert "Schema read from the rows" not in dataset_card(facts(), SCHEMA, 5)


@given(title=st.text(min_size=1, max_size=40), description=st.text(max_size=60))
def test_no_title_or_description_adds_markup(title: str, description: str) -> None:
    card = dataset_card(facts(title, description), SCHEMA, 500)
    assert header(card)["pretty_name"] == title
    body = card.split("---\n", 2)[2] if "---\n" not in title + description else card
    plain = dataset_card(facts("T", "D" if description.split() else ""), SCHEMA, 500).split("---\n", 2)[2]
    kinds = [token.type for token in MarkdownIt().parse(body)]
    assert kinds == [token.type for token in MarkdownIt().parse(plain)]


@pytest.mark.parametrize("name", ["a|b", "`x`", "<script>", "new\nline"])
def test_hostile_column_name_stays_in_its_cell(name: str) -> None:
    schema = Schema(name="t", columns=(CategoricalColumn(name=name, categories=("x|y", "<i>", "`")),))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(dataset_card(facts(), schema, 5))
    table = html.split("<table>")[1]
    assert table.count("<td") == 4
    assert "<script>" not in html
    assert "<i>" not in html


def test_rounds_that_were_not_taken_are_said_and_that_nobody_knows_whose_they_were() -> None:
    assert "Rounds that were not taken" not in dataset_card(facts(), SCHEMA, 10)
    poisoned = facts().model_copy(update={"refused_rounds": 2, "ended_on": "base"})
    card = dataset_card(poisoned, SCHEMA, 10)
    assert "2 rounds of this run were not taken" in card
    assert "the base that secure sums alone determine" in card
    assert "nobody can tell whose it was" in card
    once = dataset_card(facts().model_copy(update={"refused_rounds": 1}), SCHEMA, 10)
    assert "1 round of this run was not taken" in once
    climb = facts().model_copy(update={"refused_rounds": 1, "ended_on": "rung"})
    assert "nothing of that sum is in the generator" in dataset_card(climb, SCHEMA, 10)


def test_the_generator_and_the_run_s_own_attack_on_it_are_said() -> None:
    assert "| Generator |" not in dataset_card(facts(), SCHEMA, 10)
    words = "recipe mixture: a mixture of 2 components; told apart with AUC 0.557, limit 0.560: OVER IT"
    card = dataset_card(facts().model_copy(update={"released": words}), SCHEMA, 10)
    assert f"| Generator | {words} |" in card


@pytest.mark.parametrize(
    "sentence",
    [
        "> **Differentially private: ε = 0.9995 at δ = 1e-06 for one record, added or removed.**",
        "**What ε covers.** All that left the organisations as numbers: 3 noisy sums of counts.",
        "**How much noise there is.** The generator was made from counts that are off by more than this many rows in "
        "1 of 20 cases or more: 101 in single columns, 80 in columns with the label and 91 in pairs of columns.",
        "**What was public.** The schema with its bounds and categories, the plan, which organisations took part",
        "the upper bound on the rows, 100,000.",
        "**What ε does not cover.** By itself it bounds nothing of these:\n  - What holds for people in general",
        "  - Groups of people",
        "  - A person whose records several organisations hold",
        "  - Other runs and releases on the same rows",
        "  - A schema whose bounds or categories were read from the rows.",
        "  - Side channels",
        "**The coordinator saw noisy sums.**",
        "**No privacy audit.**",
        "No protection against differencing",
        "Signed by the coordinator; no organisation has signed yet",
        "Publishing it as anonymous data",
    ],
)
def test_card_of_a_private_release_says_aloud(sentence: str) -> None:
    assert sentence in dataset_card(facts(privacy=make_claim()), SCHEMA, 500)


def test_card_of_an_epsilon_above_10_says_that_it_is_weak() -> None:
    claim = make_claim()
    weak = claim.model_copy(update={"epsilon": 15.0, "budget_epsilon": 15.0})
    card = dataset_card(facts(privacy=weak), SCHEMA, 500)
    assert "added or removed. WEAK: ε is above 10.**" in card
    assert "**WEAK: ε is above 10.** Whether a unit's records were among the rows may change" in card
    assert "e^ε = 3,270,000: hardly a protection." in card
    assert "WEAK" not in dataset_card(facts(privacy=claim), SCHEMA, 500)


def test_what_is_not_covered_is_one_entry_with_a_list_in_it() -> None:
    card = dataset_card(facts(privacy=make_claim()), SCHEMA, 500)
    section = card.split("## What protects the people behind it\n\n")[1].split("\n\n## ")[0]
    html = MarkdownIt("commonmark").render(section)
    assert html.count("not cover") == 1
    assert html.count("<ul>") == 2
    assert html.split("<ul>")[2].split("</ul>")[0].count("<li>") == 8


def test_card_of_a_private_release_says_nothing_of_one_that_is_not() -> None:
    card = dataset_card(facts(privacy=make_claim()), SCHEMA, 500)
    for wrong in ("NOT DIFFERENTIALLY PRIVATE", "Privacy: NONE", "exact sums", "No noise was added"):
        assert wrong not in card
    # A fit to sums trains no network at the organisations.
    assert "trained together" not in card
    assert "differentially-private" in header(card)["tags"]
    assert "not-differentially-private" not in header(card)["tags"]


@pytest.mark.parametrize("privacy", ["none", make_claim(schema_confirmed=False)])
def test_schema_that_a_program_read_is_said_though_it_is_marked_as_confirmed(privacy: Privacy) -> None:
    card = dataset_card(facts(privacy=privacy, schema_from_rows=True), SCHEMA, 500)
    assert "Bounds and categories were drafted from rows and not confirmed by a person." in card
    assert "The bounds below are smallest and largest values of real records; no ε protects them." in card
    assert ("Schema read from the rows, outside ε" if privacy != "none" else "Schema read from the rows.") in card
