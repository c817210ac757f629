"""What a review says of gates that an organisation's own rows leave open."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from headwater_client.cli.release_page import undecided

if TYPE_CHECKING:
    from headwater.release.policy.decision import Decision
    from headwater_client.own_audit import OwnAudit


def said(open_to_own: tuple[str, ...], common: dict[str, str], waived: tuple[str, ...] = ()) -> str:
    own = SimpleNamespace(undecided=open_to_own, decides_nothing=False)
    gates = [SimpleNamespace(gate=gate, outcome=what, waived=gate in waived) for gate, what in common.items()]
    return undecided(cast("OwnAudit", own), cast("Decision", SimpleNamespace(gates=gates)))


def test_what_all_rows_decided_is_no_objection() -> None:
    assert said((), {"G5": "inconclusive"}) == ""
    line = said(("G4", "G5"), {"G4": "pass", "G5": "warn"})
    assert line == (
        "Your own rows are too few and do not decide G4, G5: that is no objection, as the sums of all organisations "
        "were judged."
    )


@pytest.mark.parametrize(("waived", "ends"), [(("G5",), " though others answer for it by name."), ((), "table.")])
def test_what_nobody_decided_is_told_as_that(waived: tuple[str, ...], ends: str) -> None:
    line = said(("G4", "G5"), {"G4": "pass", "G5": "inconclusive"}, waived)
    assert "no objection" not in line
    assert "did not decide G5 either: nobody has shown it of this table" in line
    assert line.endswith(ends)
