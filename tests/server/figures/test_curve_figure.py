"""The drawing of a sample-size curve."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from headwater.evaluation.curve import CurvePoint
from headwater_server.figures.curve import draw_curve

POINTS = [CurvePoint(500, 0.88), CurvePoint(2000, 0.9)]


def drawn(folder: Path, target: str, real: tuple[float, int] | None) -> str:
    """The drawing's text; matplotlib keeps each piece beside its shapes as a comment."""
    file = folder / "curve.svg"
    draw_curve(POINTS, file, target=target, subtitle="recipe mixture, tested on 1,300 validation rows", real=real)
    ElementTree.parse(file)
    return file.read_text(encoding="utf-8")


def test_a_curve_says_which_model_which_rows_and_what_it_is_compared_with(tmp_path: Path) -> None:
    text = drawn(tmp_path, "income", (0.9293, 26048))
    for said in (
        "What LightGBM is worth at predicting 'income'",
        "recipe mixture, tested on 1,300 validation rows",
        "synthetic rows that LightGBM learned from",
        "learned from the 26,048 real training rows: 0.929",
    ):
        assert said in text


def test_without_a_figure_of_real_rows_there_is_no_line_and_names_are_no_formulas(tmp_path: Path) -> None:
    text = drawn(tmp_path, "a $x^2$", None)
    assert "real training rows" not in text
    assert "What LightGBM is worth at predicting" in text
