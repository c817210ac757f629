"""The drawing of a run under a privacy budget."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from headwater_server.figures.health import draw_health

COUNTS: list[dict[str, object]] = [
    {"kind": "histograms", "contributors": 5, "counted": "columns", "tables": 15, "cells": 1000, "deviation": 20.0}
    | {"rows": 24_000},
    {"kind": "marginals", "contributors": 5, "counted": "pairs", "tables": 60, "cells": 9000, "deviation": 20.0}
    | {"rows": 24_010},
]
FITTED: dict[str, object] = {"kind": "fitted", "misfit": 1.25}


def words(monkeypatch: pytest.MonkeyPatch, folder: Path, records: list[dict[str, object]]) -> str:
    """Every text of the figure, and that it is SVG."""
    said: list[str] = []
    save = Figure.savefig

    def keep(figure: Figure, *given: object, **more: object) -> None:
        save(figure, *given, **more)  # type: ignore[arg-type]
        texts = [text for axes in figure.axes for text in [*axes.texts, axes.title, *axes.get_yticklabels()]]
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        said.extend([*(text.get_text() for text in texts), *titles, figure.get_suptitle()])

    monkeypatch.setattr(Figure, "savefig", keep)
    draw_health(records, folder / "health.svg")
    ElementTree.parse(folder / "health.svg")
    return "\n".join(said)


def test_each_round_stands_with_its_noise_and_its_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = words(monkeypatch, tmp_path, [*COUNTS, FITTED])
    assert "1: every column on its public grid" in said
    assert "What the tables hold beside their noise, in rows" in said
    # Four times the tables at the same noise cost four times as much.
    assert "20%" in said
    assert "80%" in said
    assert "360" in said
    assert "2 noisy sums of 5 organisations, about 24,010 training rows; fitted, misfit 1.25" in said


def test_a_run_is_drawn_from_its_first_round_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = words(monkeypatch, tmp_path, COUNTS[:1])
    assert "100%" in said
    assert "fitted" not in said
