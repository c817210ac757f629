"""The diagrams on record are those that the tool draws, and say in words what they show."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.specification import ROOT

TOOL = ROOT / "tools" / "diagrams" / "generate.py"
DRAWN = sorted((ROOT / "docs" / "diagrams").glob("*.svg"))
SPACE = "{http://www.w3.org/2000/svg}"


def test_the_diagrams_on_record_are_those_that_the_tool_draws() -> None:
    checked = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", DRAWN, ids=lambda file: file.stem)
def test_a_diagram_has_a_title_and_a_description_and_is_shown_with_words_of_its_own(file: Path) -> None:
    drawing = ElementTree.parse(file).getroot()
    assert drawing.get("role") == "img"
    assert all((drawing.findtext(f"{SPACE}{name}") or "").strip() for name in ("title", "desc"))
    # Nothing is fetched from elsewhere: the page is whole without a network.
    assert not list(drawing.iter(f"{SPACE}image"))
    assert not list(drawing.iter(f"{SPACE}script"))
    text = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    assert f"](diagrams/{file.name})" in text
    assert f"![](diagrams/{file.name})" not in text


def test_no_page_draws_by_a_script_from_elsewhere() -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert pages
    assert [page.name for page in pages if "```mermaid" in page.read_text(encoding="utf-8")] == []
