"""What an operator reads of a run under a privacy budget."""

from headwater_server.cli.watching import describe
from headwater_server.runs.released import released_attack, released_in_words
from support.private import followed, private_plan
from support.recipes import small_table


def test_every_record_of_a_private_run_has_its_line() -> None:
    plan = private_plan(3.0)
    recipe, _ = followed(plan, [small_table(100, seed) for seed in range(3)], seed=1)
    lines = [describe({**record, "seconds": 0.1}) for record in recipe.history]
    assert [line.split(":")[0] for line in lines] == ["noisy counts"] * 3 + ["fit to the noisy counts"]
    assert "every two features" in lines[2]
    assert all("σ = " in line for line in lines[:3])
    assert "says nothing of how near these are to the rows" in lines[3]
    assert released_attack(recipe.history) is None
    said = released_in_words(plan, recipe.history)
    tables = sum(record["tables"] for record in recipe.history if record["kind"] != "fitted")  # type: ignore[misc]
    components = recipe.history[-1]["components"]
    assert said.startswith(
        f"recipe marginals: a mixture of {components} components fitted to noisy counts of {tables} tables and to "
        "nothing else; no attack is made"
    )
    assert said.endswith("ε bounds what one could find")
