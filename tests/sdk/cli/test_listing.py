"""The table of datasets: names whole at every width, what is less needed left out and said."""

import io

import pytest
from rich.console import Console

from headwater.catalogue import Listing
from headwater.catalogue.listing import WithdrawnNotice
from headwater.cli.listing import listing_grid

LONG = "readmissions-after-heart-failure-2026"


PRIVATE = "ε = 0.9995 at δ = 1.23e-06 per record"


def listing(
    name: str, title: str = "Readmissions after heart failure, five hospitals", privacy: str = "none"
) -> Listing:
    return Listing(
        name=name,
        version=12,
        title=title,
        created="2026-11-21T12:00:00Z",
        rows=1_234_567,
        columns=48,
        size_bytes=12_345_678,
        digest="0" * 64,
        privacy=privacy,
        organisations=5,
    )


def shown(width: int, *listings: Listing) -> str:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(listing_grid(listings, "Rivers", console.width))
    return capture.get()


@pytest.mark.parametrize(
    ("width", "name"),
    [(40, "adult"), (60, LONG), (80, "adult"), (80, LONG), (80, "n" * 64), (100, LONG), (100, "n" * 64), (200, LONG)],
)
def test_a_name_is_whole_at_every_width_that_holds_it(width: int, name: str) -> None:
    text = shown(width, listing(name), listing("b"))
    assert name in text
    assert "none" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_shows_every_column() -> None:
    text = shown(200, listing(LONG))
    for cell in ("12", "Readmissions after heart failure, five hospitals", "1,234,567", "48", "11.8 MiB", "2026-11-21"):
        assert cell in text
    assert "No room" not in text


def test_a_dataset_that_was_taken_back_is_said_to_be() -> None:
    notice = WithdrawnNotice(withdrawn="2026-11-22T12:00:00Z", reason="Two columns were swapped.")
    text = " ".join(shown(200, listing("adult").model_copy(update={"withdrawn": notice}), listing("births")).split())
    assert "WITHDRAWN, not to be used: adult version 12; its page in the catalogue says why." in text
    assert "WITHDRAWN" not in shown(200, listing("births"))


def test_a_schema_that_was_read_from_the_rows_is_marked_and_the_mark_explained() -> None:
    said = shown(200, listing("a", privacy=PRIVATE), listing("b", privacy=f"{PRIVATE}*"))
    assert f"{PRIVATE}*" in said
    assert "* schema read from the rows, outside ε." in said
    assert "outside ε" not in shown(200, listing("a", privacy=PRIVATE))


def test_a_narrow_terminal_leaves_out_what_is_less_needed_and_says_where_it_stands() -> None:
    text = " ".join(shown(80, listing("readmissions-2026")).split())
    assert "No room for: columns, size, made; `show NAME` has them." in text
    assert "2026-11-21" not in text
    assert "1,234,567" in text


def test_a_terminal_narrower_than_a_name_folds_it_and_cuts_nothing() -> None:
    text = shown(40, listing("n" * 64))
    assert text.count("n" * 10) >= 2
    assert sum(line.split("│")[1].count("n") for line in text.splitlines() if "│" in line) == 64
    assert max(map(len, text.splitlines())) <= 40


def test_text_of_others_commands_no_terminal_and_is_no_markup() -> None:
    text = shown(200, listing("a", title="\x1b[31m[bold]x[/wrong]"))
    assert "\x1b" not in text
    assert "[bold]x[/wrong]" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_list_says_what_is_not_private_and_of_the_rest_the_whole_promise(width: int) -> None:
    text = shown(width, listing("a"), listing("b", privacy=PRIVATE))
    words = " ".join(text.replace("│", " ").split())
    assert "privacy none: NOT DIFFERENTIALLY PRIVATE." in words
    assert max(map(len, text.splitlines())) <= width
    for part in PRIVATE.split():
        assert part in words
    assert "NOT DIFFERENTIALLY PRIVATE" not in shown(width, listing("b", privacy=PRIVATE))
