"""`headwater-coordinator plan explain`: what a plan costs, before anything runs."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.words import rounded_up
from headwater_server.cli import app
from support.coordinator_home import home_with_charter
from support.private import hybrid_plan, private_plan
from support.recipes import small_plan


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def written(folder: Path, plan: Plan) -> str:
    file = folder / "plan.toml"
    file.write_text(plan.to_toml(), encoding="utf-8")
    return str(file)


def explained(folder: Path, plan: Plan, *more: str) -> str:
    given = ["plan", "explain", written(folder, plan), "--home", str(folder / "home"), *more]
    result = CliRunner().invoke(app, given)
    assert result.exception is None, result.exception
    return result.output


def test_each_round_and_the_whole_are_told_in_words_and_numbers(tmp_path: Path) -> None:
    said = explained(tmp_path, private_plan(1.0), "--organisations", "5")
    for words in (
        "every column on its public grid",
        "every feature with the label",
        "σ each of 5",
        "σ certain (if",
        "a coordinator that works with more organisations than the 1 of the plan",
        "at δ = 1e-06 for one record, added or removed",
        "a count of 100 rows is off by up to",
        "this plan once more on the same rows: ε = 1.4",
        "what was uploaded counts as released",
        "the schema with its bounds and categories",
        "a person whose records several organisations hold",
    ):
        assert words in said, words


def test_a_plan_whose_bound_on_rows_drowns_its_tables_is_warned_of(tmp_path: Path) -> None:
    plan = private_plan(1.0, most_rows=3_000)
    facts = json.loads(explained(tmp_path, plan, "--organisations", "5", "--json"))
    last = facts["rounds"][-1]
    needed = 1.96 * last["deviation_sum"] * last["cells"] / last["tables"]
    assert f"with fewer than {math.ceil(needed):,} training rows in all" in facts["words"]["what the noise means"][-1]
    assert needed > 3_000
    assert "the plan allows at most 3,000 training rows, fewer than round 3 needs" in "".join(
        facts["words"]["WARNING: mostly noise"]
    )
    enough = private_plan(1.0, most_rows=math.ceil(needed) + 1)
    assert "WARNING" not in explained(tmp_path, enough, "--organisations", "5")


def test_an_epsilon_above_10_is_called_weak_with_its_factor(tmp_path: Path) -> None:
    weak = json.loads(explained(tmp_path, private_plan(15.0), "--json"))
    (said,) = weak["words"]["WEAK: ε is above 10"]
    assert "by a factor of up to e^ε = 3,270,000: hardly" in said
    assert "WEAK" not in explained(tmp_path, private_plan(10.0))


def test_two_runs_cost_less_than_the_plain_sum_and_nothing_says_otherwise(tmp_path: Path) -> None:
    facts = json.loads(explained(tmp_path, private_plan(1.0), "--json"))
    assert facts["epsilon"] < facts["epsilon_twice"] < 2 * facts["epsilon"]
    said = explained(tmp_path, private_plan(1.0))
    assert "other runs and releases on the same rows: together they cost more than each, somewhat less than the" in said


def test_a_critic_s_sums_are_told_with_their_sample_their_noise_and_what_they_are_for(tmp_path: Path) -> None:
    said = explained(tmp_path, hybrid_plan(1.0), "--organisations", "5")
    for words in (
        "4 sums of clipped gradients follow the counts, and ε is ",
        "with every row in it by a chance of 0.2",
        "times what one row may move the whole sum by",
        "the sums are asked for and paid for either way",
    ):
        assert words in said, words
    facts = json.loads(explained(tmp_path, hybrid_plan(1.0), "--organisations", "5", "--json"))
    assert facts["rounds"][-1]["epsilon"] < facts["critic"]["epsilon"] == facts["epsilon"] <= 1.0


def test_sums_that_the_budget_pays_for_are_told_with_what_they_take(tmp_path: Path) -> None:
    none = explained(tmp_path, private_plan(1.0))
    assert "Repeats: 0 paid for; the first aborted sum ends the run. It would take ε to 1." in none
    assert "held back" not in none
    one = explained(tmp_path, private_plan(1.0, retries=1))
    assert "held back for aborted sums" in one
    assert "Repeats: 1 paid for; one aborted sum more ends the run, with" in one


def test_check_counts_the_repeats_that_the_budget_pays_for_and_no_others(tmp_path: Path) -> None:
    def checked(plan: Plan) -> str:
        return CliRunner().invoke(app, ["plan", "check", written(tmp_path, plan)]).output

    none, one = private_plan(1.0), private_plan(1.0, retries=1)
    assert none.aggregation.retries > 1
    assert "at most 3 sums\n" in checked(none)
    assert "in each sum, repeats: 0 paid for; the first aborted sum ends the run\n" in checked(none)
    assert "at most 4 sums\n" in checked(one)
    assert "in each sum, repeats: 1 paid for; one aborted sum more ends the run\n" in checked(one)
    exact = small_plan("marginals")
    assert f"at most {exact.maximum_rounds} sums" in checked(exact)
    assert f"{exact.aggregation.retries} retries\n" in checked(exact)


def test_a_plan_without_a_budget_is_not_differentially_private_and_says_why(tmp_path: Path) -> None:
    said = explained(tmp_path, small_plan("marginals"))
    assert "NOT DIFFERENTIALLY PRIVATE: the plan has no privacy budget" in said
    assert "no number bounds" in said
    facts = json.loads(explained(tmp_path, small_plan("marginals"), "--json"))
    assert facts["private"] is False
    assert "NOT DIFFERENTIALLY PRIVATE" in facts["words"][0]


def test_programs_read_the_same_as_json(tmp_path: Path) -> None:
    plan = private_plan(1.0, unit="entity", records=2)
    facts = json.loads(explained(tmp_path, plan, "--organisations", "7", "--json"))
    assert facts["plan_digest"] == plan.digest
    assert facts["organisations"] == 7
    assert facts["epsilon"] <= 1.0
    assert facts["budget"]["records"] == 2
    assert [each["step"] for each in facts["rounds"]] == ["columns", "label", "pairs"]
    assert "one person with all of at most 2 records" in facts["words"]["in all"][0]


def test_the_noise_of_each_is_that_of_the_charter_s_members_where_there_is_a_charter(tmp_path: Path) -> None:
    home_with_charter(tmp_path / "home", members=4)
    assert "σ each of 4" in explained(tmp_path, private_plan(1.0))


def test_a_person_at_several_organisations_costs_the_sum_unless_the_charter_declares_that_there_is_none(
    tmp_path: Path,
) -> None:
    facts = json.loads(explained(tmp_path, private_plan(0.3), "--organisations", "4", "--json"))
    assert facts["disjoint_people"] is False
    # Four times the shift at the same noise: more than four times ε, by the accountant.
    assert facts["epsilon_everywhere"] > 4 * facts["epsilon"]
    said = explained(tmp_path, private_plan(0.3), "--organisations", "4")
    assert f"somebody with a record at each of 4 has ε = {rounded_up(facts['epsilon_everywhere']):g}" in said
    home_with_charter(tmp_path / "home", members=4, disjoint_people=True)
    declared = json.loads(explained(tmp_path, private_plan(0.3), "--json"))
    assert declared["disjoint_people"] is True
    assert declared["epsilon_everywhere"] == declared["epsilon"] == facts["epsilon"]
    said = explained(tmp_path, private_plan(0.3))
    assert "the charter declares that nobody's records are at more than one organisation" in said
    assert "where k of them do" not in said


def test_check_says_what_explain_says(tmp_path: Path) -> None:
    plan = private_plan(1.0)
    said = explained(tmp_path, plan)
    checked = CliRunner().invoke(app, ["plan", "check", written(tmp_path, plan)]).output
    start = said.index("privacy: ")
    assert said[start:] in checked


def test_so_few_organisations_are_refused(tmp_path: Path) -> None:
    given = ["plan", "explain", written(tmp_path, private_plan(1.0)), "--organisations", "2"]
    result = CliRunner().invoke(app, given)
    assert isinstance(result.exception, InputError)
    assert "2 members take part, at least 3 must" in str(result.exception)
