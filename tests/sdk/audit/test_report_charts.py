"""Charts of a report: what stands on one axis has one unit, and each chart says what to look for."""

from headwater.audit.report.charts import GROUPS, pictures_of
from headwater.evidence.measure import Measure


def measured(check: str, value: float, subject: str = "", **details: float) -> Measure:
    named = {name.replace("_", " "): number for name, number in details.items()}
    return Measure(check=check, subject=subject, value=value, null=0.0, details=named)


def test_a_ratio_and_a_number_of_rows_are_not_drawn_together() -> None:
    curve = measured("usefulness.curve", 4800.0, "income", auc_at_500_rows=0.87, auc_at_4800_rows=0.91)
    pictures = {each.title: each for each in pictures_of((measured("usefulness", 0.99, "income"), curve), {})}
    assert set(pictures) == {"Usefulness", "What more synthetic rows give"}
    assert "usefulness.curve" not in pictures["Usefulness"].words
    assert "[income: 500 rows] 0.870" in pictures["What more synthetic rows give"].words
    assert "4800.000" not in "".join(each.words for each in pictures.values())


def test_what_should_be_low_is_not_drawn_with_what_should_be_high() -> None:
    given = (measured("coverage.modes", 0.95), measured("coverage.invented-3-way", 0.01))
    titles = [each.title for each in pictures_of(given, {})]
    assert titles == ["Coverage", "Combinations invented"]


def test_every_chart_has_a_caption_that_is_seen() -> None:
    (picture,) = pictures_of((measured("membership.nearest", 0.01),), {})
    assert picture.caption == GROUPS[0].words
    assert picture.caption not in picture.words
