"""Charts of what was measured on real rows: drawn from audit.json, and never finer than it tells."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import pytest

from headwater.errors import InputError
from headwater.evidence.measure import Measure
from headwater.release.audit_file import PublicFigure, PublishedAudit
from headwater.release.policy import load_policy
from headwater.release.statistics import statistics_of
from headwater_server.figures.columns import draw_charts
from support.audited_release import audit_of, evidence_on
from support.evidences import honest_measures
from support.releases import make_table

TABLE = make_table()
TOLD = {"bias": "bucket", "usefulness": "bucket", "marginals": "bucket", "coverage": "bucket"}
CURVE = Measure(
    check="usefulness.curve",
    subject="readmitted",
    value=2000.0,
    details={"auc at 500 rows": 0.8317, "auc at 2000 rows": 0.9142, "auc at 8000 rows": 0.9151},
)


@dataclass(frozen=True)
class Drawn:
    """A chart by its words and its texts."""

    description: str
    texts: list[str]


def published(disclosures: dict[str, str] | None = None, **changes: object) -> PublishedAudit:
    evidence = evidence_on(
        TABLE, privacy="none", measures=(*honest_measures(), CURVE), disclosures=disclosures or TOLD, **changes
    )
    return audit_of(evidence, policy=load_policy("non-private"))


def drawn(audit: PublishedAudit) -> dict[str, Drawn]:
    charts = draw_charts(statistics_of(TABLE.to_arrow(), TABLE.schema), audit)
    return {
        each.chart.kind: Drawn(
            each.chart.description,
            [
                element.text or ""
                for element in ElementTree.fromstring(each.content).iter()
                if element.tag.endswith("text")
            ],
        )
        for each in charts
    }


def test_ranges_of_the_audit_are_drawn_and_said() -> None:
    charts = drawn(published())
    assert set(charts) == {"pairs", "usefulness", "bias", "coverage"}
    # Light or dark, a full colour stands out from its ground.
    assert any("fuller its colour the stronger" in text for text in charts["pairs"].texts)
    assert {"0.8–0.85", "0.9–0.95", "500", "2,000"} <= set(charts["usefulness"].texts)
    assert "0.8–0.85 from 500 rows" in charts["usefulness"].description
    assert "sex=Female 1 to 1.05" in charts["bias"].description
    assert "pairs of columns 0.05 to 0.1" in charts["coverage"].description


def test_no_figure_finer_than_its_range_is_in_any_chart() -> None:
    audit = published()
    everything = [text for each in drawn(audit).values() for text in [each.description, *each.texts]]
    for hidden in ("0.8317", "0.83", "0.914", "1.01"):
        assert not any(hidden in text for text in everything)
        assert hidden.encode() not in audit.to_bytes()


def test_where_only_verdicts_may_be_told_nothing_is_drawn() -> None:
    audit = published(dict.fromkeys(TOLD, "verdict"))
    assert set(drawn(audit)) == {"pairs"}
    assert audit.format == "headwater-audit/1"
    under_budget = audit_of(evidence_on(TABLE, measures=(*honest_measures(), CURVE), disclosures=TOLD))
    assert set(drawn(under_budget)) == {"pairs"}


def test_an_audit_with_a_curve_is_read_back_and_earlier_ones_keep_their_bytes() -> None:
    audit = published()
    assert audit.format == "headwater-audit/2"
    assert PublishedAudit.from_bytes(audit.to_bytes()) == audit
    plain = audit.model_copy(
        update={
            "format": "headwater-audit/1",
            "figures": tuple(figure.model_copy(update={"curve": ()}) for figure in audit.figures),
        }
    )
    assert b'curve":' not in plain.to_bytes()
    assert PublishedAudit.from_bytes(plain.to_bytes()) == plain


@pytest.mark.parametrize(
    "change",
    [
        {"curve": ({"rows": 500, "between": (0.83, 0.84)},)},
        {"curve": ({"rows": 500, "between": (0.8, 0.9)},)},
        {"curve": ({"rows": 500, "between": (0.8, 0.85)}, {"rows": 500, "between": (0.8, 0.85)})},
        {"disclosure": "verdict"},
        {"check": "usefulness"},
    ],
)
def test_a_curve_that_tells_more_than_ranges_is_no_audit(change: dict[str, object]) -> None:
    figure = next(figure for figure in published().figures if figure.curve)
    with pytest.raises(ValueError, match="curve"):
        PublicFigure.model_validate(figure.model_dump() | change)
    data = published().to_bytes().replace(b'"headwater-audit/2"', b'"headwater-audit/1"')
    with pytest.raises(InputError, match="headwater-audit/2 is"):
        PublishedAudit.from_bytes(data)
