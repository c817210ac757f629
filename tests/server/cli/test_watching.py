"""What the operator reads of a run's records."""

import pytest

from headwater.agreement.troubles import Trouble
from headwater_server.cli.watching import describe, finished_in_words
from support.claims import make_claim


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_of_an_organisation_is_a_sentence_with_its_name(trouble: Trouble) -> None:
    line = describe({"kind": "trouble", "member": "org-2", "trouble": trouble.value})
    assert "org-2 says" in line
    assert len(line) > len("[yellow]org-2 says[/yellow]: ") + 20


def test_rows_off_the_schema_point_to_where_the_columns_are_named() -> None:
    line = describe({"kind": "trouble", "member": "org-2", "trouble": "rows-refused"})
    assert "do not hold to the plan's schema" in line
    assert "headwater-org check" in line


def test_a_session_s_line_says_what_privacy_there_is_and_loudly_that_there_is_none() -> None:
    ready = {"kind": "ready", "members": ["a", "b", "c"], "protection": "one cohort"}
    assert describe({**ready, "privacy": "NOT DIFFERENTIALLY PRIVATE"}).endswith(
        "; [bold red]NOT DIFFERENTIALLY PRIVATE[/bold red]"
    )
    assert describe({**ready, "privacy": "at most ε = 1"}).endswith("; [green]at most ε = 1[/green]")
    assert describe(ready).endswith("[green]one cohort[/green]")


def test_the_last_line_of_a_run_says_what_it_spent_or_that_it_is_not_private() -> None:
    assert finished_in_words({"released": "a mixture", "privacy": "none"}) == "a mixture; NOT DIFFERENTIALLY PRIVATE"
    private = {"released": "a mixture", "privacy": make_claim().model_dump(mode="json")}
    assert finished_in_words(private).startswith("a mixture; Differentially private: ε = 0.9995 at δ = 1e-06")
    assert "cannot be read" in finished_in_words({"privacy": {"epsilon": 1}})
