"""What the operator reads of a run's records."""

import pytest

from headwater.agreement.troubles import Trouble
from headwater_server.cli.watching import describe


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_of_an_organisation_is_a_sentence_with_its_name(trouble: Trouble) -> None:
    line = describe({"kind": "trouble", "member": "org-2", "trouble": trouble.value})
    assert "org-2 says" in line
    assert len(line) > len("[yellow]org-2 says[/yellow]: ") + 20


def test_rows_off_the_schema_point_to_where_the_columns_are_named() -> None:
    line = describe({"kind": "trouble", "member": "org-2", "trouble": "rows-refused"})
    assert "do not hold to the plan's schema" in line
    assert "headwater-org check" in line
