"""A contact sheet: safe SVG in which every pixel is where it belongs."""

import re
from xml.etree import ElementTree

import numpy as np

from headwater.schema import CategoricalColumn, ImageColumn, Schema
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_columns
from headwater_server.figures.contact_sheet import describe_sheet, draw_sheet
from support.pictures import IMAGE, picture_table

NAMESPACE = "{http://www.w3.org/2000/svg}"


def sheet_of(table: Table, column: ImageColumn) -> ElementTree.Element:
    return ElementTree.fromstring(draw_sheet(table, column, describe_sheet(table, column)))


def test_the_pixels_of_a_sheet_are_the_pictures() -> None:
    table = picture_table(1)
    tones = np.full((4, 4), -1)
    for path in sheet_of(table, IMAGE).iter(f"{NAMESPACE}path"):
        level = round(int(path.attrib["fill"][1:3], 16) * 7 / 255)
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)", path.attrib["d"]):
            tones[int(y), int(x) : int(x) + int(width)] = level
    np.testing.assert_array_equal(tones, table.columns["scan"][0].reshape(4, 4))


def test_a_sheet_has_a_line_for_each_class() -> None:
    texts = [text.text for text in sheet_of(picture_table(200), IMAGE).iter(f"{NAMESPACE}text")]
    assert texts == ["scan", "image, 4 × 4 pixels of 8 levels", "bar", "line"]
    assert "the first 24 of 200 synthetic pictures" in describe_sheet(picture_table(200), IMAGE)


def test_names_cannot_add_markup_and_large_pictures_stay_light() -> None:
    image = ImageColumn(name="<script>", height=32, width=32)
    schema = Schema(name="s", columns=(image, CategoricalColumn(name="c", categories=("<b>",), role="target")))
    pictures = np.random.default_rng(0).integers(0, 256, (500, 1024)).astype(np.uint8)
    table = Table(schema, {"<script>": pictures, "c": np.zeros(500, np.int32)}, 500)
    drawn = draw_sheet(table, image, describe_sheet(table, image))
    assert b"<script>" not in drawn
    assert b"<b>" not in drawn
    assert len(drawn) < 1_000_000


def test_a_release_s_figures_show_an_image_as_a_sheet() -> None:
    first, second = draw_columns(picture_table(30))
    assert first.figure.path == "plots/001-scan.svg"
    assert b"crispEdges" in first.content
    assert b"crispEdges" not in second.content


def test_a_sheet_that_is_opened_by_itself_is_larger_and_has_a_ground_of_its_own() -> None:
    table = picture_table(30)
    words = describe_sheet(table, IMAGE)
    page, alone = (ElementTree.fromstring(draw_sheet(table, IMAGE, words, alone=each)) for each in (False, True))
    assert page.attrib["viewBox"] == alone.attrib["viewBox"]
    assert int(page.attrib["width"]) == 420
    assert int(alone.attrib["width"]) >= 1000
    assert page.find(f"{NAMESPACE}rect") is None
    ground = alone.find(f"{NAMESPACE}rect")
    assert ground is not None
    assert ground.attrib["class"] == "ground"
