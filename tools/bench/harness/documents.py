"""A page whose figures a benchmark fills in, between two marks."""

import pathlib
import shutil
from collections.abc import Iterable

__all__ = ["PAGE", "write_block"]

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "benchmarks.md"
"""The page that all benchmarks fill in."""

_BEGIN, _END = "<!-- begin {}: filled in by {} -->", "<!-- end {} -->"


def write_block(page: pathlib.Path, name: str, by: str, text: str, pictures: Iterable[pathlib.Path] = ()) -> None:
    """Put a text between the marks of a page, and the pictures that it shows into `figures` beside the page.

    Args:
        page: Markdown with the two marks.
        name: of the block.
        by: the command that fills it in, as the first mark says it.
        text: Markdown; its pictures are named without a folder.
        pictures: files to copy.

    Raises:
        SystemExit: the page has no such marks.
    """
    begin, end = _BEGIN.format(name, by), _END.format(name)
    whole = page.read_text(encoding="utf-8")
    before, found, rest = whole.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"error: {page.name} lacks the lines {begin!r} and {end!r}; put them where the tables belong")
    figures = page.parent / "figures"
    for picture in pictures:
        figures.mkdir(exist_ok=True)
        shutil.copy(picture, figures / picture.name)
        text = text.replace(f"]({picture.name})", f"](figures/{picture.name})")
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
