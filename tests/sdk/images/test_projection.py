"""From pixel sums to directions, from pictures to scores and back."""

import base64
import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.images.lifting import Lifting, lifted_schema
from headwater.images.pixels import PixelSums, pixel_cells, pixel_sums, read_pixel_sums
from headwater.images.projection import REACH, Projection
from headwater.images.settings import ImageSettings
from headwater.images.wrapping import is_wrapped, unwrap, wrap
from headwater.schema import ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.pictures import IMAGE, PICTURES, picture_table

BITS = 12


def encoded(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f8").tobytes()).decode()


def sums_of(table: Table) -> PixelSums:
    return read_pixel_sums(pixel_sums(table, BITS), [IMAGE], BITS, table.rows)[0]


def projection_of(table: Table, scores: int = 6) -> Projection:
    return Projection.fit(IMAGE, sums_of(table), table.rows, scores)


def test_sums_are_exact_and_add_up_over_any_partition() -> None:
    table = picture_table(500)
    levels = table.columns["scan"].astype(np.int64)
    whole = sums_of(table)
    np.testing.assert_array_equal(whole.sums, levels.sum(axis=0))
    np.testing.assert_array_equal(whole.products, levels.T @ levels)
    parts = [table.take(np.arange(start, 500, 3)) for start in range(3)]
    summed = sum((pixel_sums(part, BITS) for part in parts), np.zeros(pixel_cells([IMAGE]), np.int64))
    again = read_pixel_sums(summed, [IMAGE], BITS, 500)[0]
    np.testing.assert_array_equal(again.products, whole.products)


def test_every_limb_is_below_the_plan_s_bits_and_more_rows_are_refused() -> None:
    table = picture_table(500)
    assert pixel_sums(table, BITS).max() < 1 << BITS
    with pytest.raises(InputError, match="value bits"):
        pixel_sums(table, 6)


# Low limbs: of the first pixel, of its product with itself, of the second pixel's with the first.
@pytest.mark.parametrize("place", [0, IMAGE.pixels, IMAGE.pixels + 1])
@pytest.mark.parametrize("change", [-5_000_000, 5_000_000])
def test_sums_that_no_levels_can_have_are_refused(place: int, change: int) -> None:
    vector = pixel_sums(picture_table(100), BITS)
    vector[pixel_cells([IMAGE]) // 2 + place] += change
    with pytest.raises(InputError, match="cannot be of levels"):
        read_pixel_sums(vector, [IMAGE], BITS, 100)


def test_pixels_brighter_than_so_many_rows_can_be_are_refused() -> None:
    # All sums belong together; they are of five times as many rows as are said to be in them.
    vector = pixel_sums(picture_table(500), BITS)
    read_pixel_sums(vector, [IMAGE], BITS, 500)
    with pytest.raises(InputError, match="cannot be of levels"):
        read_pixel_sums(vector, [IMAGE], BITS, 60)


def test_scores_have_mean_0_and_variance_1_and_all_directions_give_the_picture_back() -> None:
    table = picture_table(400)
    projection = projection_of(table, scores=16)
    scores = projection.to_scores(table.columns["scan"])
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scores.var(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(projection.to_pictures(scores, np.random.default_rng(0)), table.columns["scan"])


def test_drawn_pictures_keep_the_summed_second_moments_though_scores_are_few() -> None:
    random = np.random.default_rng(3)
    # Far from both ends of the levels, so that nothing is clipped.
    wide = ImageColumn(name="scan", height=4, width=4, levels=256)
    pictures = np.rint(128 + random.normal(size=(4000, 16)) @ random.normal(size=(16, 16)) * 4).astype(np.uint8)
    columns: dict[str, NDArray[Any]] = {"scan": pictures}
    sums = read_pixel_sums(pixel_sums(Table(Schema(name="s", columns=(wide,)), columns, 4000), 20), [wide], 20, 4000)[0]
    projection = Projection.fit(wide, sums, 4000, 5)
    drawn = projection.to_pictures(projection.to_scores(pictures), random)
    expected, found = np.cov(pictures.T), np.cov(drawn.T)
    assert (projection.deviations[:5] ** 2).sum() < 0.8 * np.trace(expected)
    assert np.abs(found - expected).max() < 0.08 * np.abs(expected).max()


def test_pictures_all_alike_keep_one_score() -> None:
    columns: dict[str, NDArray[Any]] = {"scan": np.full((9, 16), 3, np.uint8), "shape": np.zeros(9, np.int32)}
    projection = projection_of(Table(PICTURES, columns, 9))
    assert projection.scores == 1
    drawn = projection.to_pictures(np.full((2, 1), 3.0), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.full((2, 16), 3))


def test_what_organisations_get_scores_the_same_and_holds_no_more_directions() -> None:
    table = picture_table(300)
    projection = projection_of(table)
    told = Projection.from_document(IMAGE, projection.to_document(all_directions=False))
    assert told.directions.shape == (16, 6)
    np.testing.assert_array_equal(told.to_scores(table.columns["scan"]), projection.to_scores(table.columns["scan"]))


@pytest.mark.parametrize(
    "change",
    [
        {"mean": "AAAA"},
        {"directions": None},
        {"scores": 7},
        {"scores": 1.0},
        {"deviations": "////////f/8="},
        {"mean": encoded(np.full(16, 8.0))},
        {"mean": encoded(np.full(16, -1.0))},
        {"deviations": encoded(np.full(6, 1e300))},
        {"deviations": encoded(np.full(6, 28.5))},
        {"directions": encoded(np.full((16, 6), 0.25))},
        {"directions": encoded(np.eye(16, 6) * 1e200)},
    ],
)
def test_a_document_of_another_form_is_refused(change: dict[str, object]) -> None:
    document = projection_of(picture_table(100)).to_document(all_directions=False) | change
    with pytest.raises(InputError):
        Projection.from_document(IMAGE, document)


def test_a_lifted_table_has_a_number_for_each_score_and_keeps_the_rest() -> None:
    table = picture_table(50)
    lifting = Lifting(PICTURES, (projection_of(table),))
    lifted = lifting.lift(table, np.linspace(0, 1, 50))
    assert lifted.schema.names == (*(f"scan[{place}]" for place in range(6)), "shape")
    assert all(isinstance(column, NumericColumn) and column.upper == REACH for column in lifted.schema.columns[:6])
    assert lifted.schema.target_index == 6
    taken = lifted.take(np.arange(50) < 3)
    np.testing.assert_array_equal(taken.positions, np.linspace(0, 1, 50)[:3])
    back = lifting.lower(lifted, np.random.default_rng(0))
    assert back.schema == PICTURES
    np.testing.assert_array_equal(back.columns["shape"], table.columns["shape"])


def test_the_name_of_a_score_is_no_other_column_s() -> None:
    schema = Schema(name="s", columns=(IMAGE, NumericColumn(name="scan[0]", lower=0, upper=1)))
    columns = {"scan": picture_table(40).columns["scan"], "scan[0]": np.zeros(40)}
    lifting = Lifting(schema, (projection_of(picture_table(40), scores=2),))
    assert lifting.lift(Table(schema, columns, 40), np.zeros(40)).schema.names == ("scan'[0]", "scan'[1]", "scan[0]")


def identity(image: ImageColumn, scores: int = 2) -> Projection:
    """Each pixel is a direction."""
    return Projection(image, scores, np.zeros(image.pixels), np.eye(image.pixels), np.ones(image.pixels))


def test_the_scores_of_two_images_never_have_one_name() -> None:
    images = tuple(ImageColumn(name=name, height=2, width=2) for name in ("a", "a'", "b" * 200, "b" * 199 + "c"))
    schema = Schema(name="s", columns=(*images, NumericColumn(name="a[0]", lower=0, upper=1)))
    names = Lifting(schema, tuple(identity(image) for image in images)).lifted_schema.names
    assert len(set(names)) == len(names) == 9
    assert max(map(len, names)) < 200


def test_images_of_more_scores_than_a_table_has_columns_are_refused() -> None:
    images = tuple(ImageColumn(name=f"i{number}", height=2, width=2) for number in range(2501))
    schema = Schema(name="s", columns=images)
    with pytest.raises(InputError, match="10004 columns"):
        lifted_schema(schema, [4] * 2501)


def test_a_generator_of_pictures_inside_another_is_refused() -> None:
    """Each layer is read by a call inside a call: a file of a thousand would end the reader, not be refused by it."""
    lifting = Lifting(PICTURES, (identity(IMAGE),))
    with pytest.raises(InputError, match="inside another"):
        unwrap(wrap(lifting, wrap(lifting, b"inner")))


def test_projections_of_another_image_are_refused() -> None:
    other = ImageColumn(name="other", height=4, width=4, levels=8)
    with pytest.raises(InputError, match="do not belong"):
        Lifting(PICTURES, (dataclasses.replace(projection_of(picture_table(50)), image=other),))


def test_a_wrapped_generator_comes_back_and_a_broken_one_is_refused() -> None:
    lifting = Lifting(PICTURES, (projection_of(picture_table(80)),))
    data = wrap(lifting, b"inner")
    again, inner = unwrap(data)
    assert is_wrapped(data)
    assert inner == b"inner"
    assert again.to_document(all_directions=True) == lifting.to_document(all_directions=True)
    assert not is_wrapped(b"inner")
    for broken in (data[:-1], data[:40], data.replace(b'version\\":1', b'version\\":9')):
        with pytest.raises(InputError):
            unwrap(broken)


@pytest.mark.parametrize(("rows", "classes", "scores"), [(1293, 10, 18), (100_000, 10, 32), (5, 10, 1), (900, 1, 32)])
def test_few_rows_a_class_get_few_scores(rows: int, classes: int, scores: int) -> None:
    assert ImageSettings().scores_for(rows, classes) == scores
