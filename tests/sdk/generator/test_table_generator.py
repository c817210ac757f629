"""The interface for those who want rows: positions, conditions, balance and views, for every kind of generator."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from headwater.encoding.marginals import Marginal, count
from headwater.errors import InputError
from headwater.generator import Between, TableGenerator
from headwater.generator.conditions import Wish, shares_by_class
from headwater.generator.fit import fit_to_marginals, initial_model
from headwater.generator.model import Model
from headwater.generator.sampler import MixtureSampler, NetworkSampler, Sampler
from headwater.generator.sampling import sample_codes
from headwater.generator.source import open_source
from headwater.generator.spec import GeneratorSpec
from headwater.generator.table_generator import RowRequest
from headwater.mixture.conditioning import Proposals
from headwater.schema.condition_text import read_condition
from headwater.schema.table import Table
from support.codes import SIZES, TERMS, dependent_codes, marginals_of, small
from support.likeness import column_distances, fitted_mixture
from support.recipes import SCHEMA, small_table

MIXTURE, ENCODING = fitted_mixture()


class OtherKind:
    """A kind that this room knows nothing of: what it draws is all that it has."""

    kind = "other"

    def __init__(self) -> None:
        self._inner = MixtureSampler(MIXTURE)
        self.to_bytes = self._inner.to_bytes
        self.tables = self._inner.tables


@pytest.fixture(scope="module")
def network() -> NetworkSampler:
    codes, sizes = ENCODING.encode(small_table(2000)), ENCODING.sizes
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    marginals = [Marginal(p, t.astype(float)) for p, t in zip(pairs, count(codes, sizes, pairs), strict=True)]
    spec = GeneratorSpec(sizes, label=6, latent=8, width=32, blocks=1, critic_width=8)
    terms = SimpleNamespace(**(vars(TERMS) | {"steps": 60}))
    return NetworkSampler(fit_to_marginals(spec, marginals, terms, 1, "cpu"))


@pytest.fixture(params=["mixture", "network", "other"])
def generator(request: pytest.FixtureRequest, network: NetworkSampler) -> TableGenerator:
    samplers: dict[str, Sampler] = {"mixture": MixtureSampler(MIXTURE), "network": network, "other": OtherKind()}
    return TableGenerator(samplers[request.param], ENCODING, device="cpu")


def joined(batches: Iterator[pa.Table], rows: int) -> pa.Table:
    taken: list[pa.Table] = []
    while sum(batch.num_rows for batch in taken) < rows:
        taken.append(next(batches))
    return pa.concat_tables(taken).slice(0, rows).combine_chunks()


@pytest.mark.parametrize("where", [None, {"age": Between(20, 80), "smoker": "yes"}])
def test_a_row_is_fixed_by_seed_and_position_alone(generator: TableGenerator, where: dict[str, object] | None) -> None:
    whole = generator.sample(10_000, where=where, seed=5).combine_chunks()  # type: ignore[arg-type]
    streamed = joined(generator.stream(1234, where=where, seed=5), 10_000)  # type: ignore[arg-type]
    resumed = generator.sample(2000, where=where, seed=5, start=7500).combine_chunks()  # type: ignore[arg-type]
    assert whole.equals(streamed)
    assert whole.slice(7500, 2000).combine_chunks().equals(resumed)
    assert not whole.equals(generator.sample(10_000, where=where, seed=6).combine_chunks())  # type: ignore[arg-type]


def test_blocks_do_not_repeat(generator: TableGenerator) -> None:
    rows = generator.sample(16_384, seed=1).combine_chunks()
    assert not rows.slice(0, 8192).equals(rows.slice(8192, 8192))


def test_a_network_under_a_condition_draws_what_rejection_would_keep(network: NetworkSampler) -> None:
    """8,000 rows against some 10,000: .033 in one of 10,000 comparisons (Kolmogorov-Smirnov), 14 are made."""
    plain = Table.concat(list(network.tables(ENCODING, 100_000, 3, device="cpu")))
    for texts in (["outcome=ill", "ward=a|"], ["age=33..47", "income=..40000"]):
        condition = read_condition(SCHEMA, texts)
        kept = condition.matches(plain)
        source, tally = open_source(network, ENCODING, condition, device="cpu"), Proposals()
        drawn = Table.concat(list(source.tables((1,), 8000, tally)))
        assert condition.matches(drawn).all()
        assert max(column_distances(drawn, plain.take(kept)).values()) < 0.033
        assert source.share == pytest.approx(kept.mean(), rel=0.1)
        assert tally.acceptance == pytest.approx(source.share, rel=0.1)


def test_conditions_hold_whatever_the_kind(generator: TableGenerator) -> None:
    where = {"age": Between(50, 60), "ward": ["a", None]}
    rows = generator.sample(300, where=where, seed=2)  # type: ignore[arg-type]
    ages = rows["age"].to_numpy()
    assert rows.num_rows == 300
    assert ages.min() >= 50
    assert ages.max() <= 60
    assert set(rows["ward"].to_pylist()) == {"a", None}
    assert 0.01 < generator.share(where) < 0.2  # type: ignore[arg-type]


def test_a_condition_that_no_row_meets_is_refused_whatever_the_kind(generator: TableGenerator) -> None:
    texts = ["age=119", "income=999000..1000000", "ward=a", "seen=2020-01-01"]
    request = RowRequest(read_condition(SCHEMA, texts), most_proposals=50_000)
    with pytest.raises(InputError, match=r"holds for|satisfied the condition"):
        next(generator.reader(request).first(10, 0))


def test_balanced_rows_have_the_shares_asked_for_and_weights_that_undo_them(generator: TableGenerator) -> None:
    """Means of 40,000 weighted rows against 40,000 plain ones: margins of about five deviations."""
    plain = generator.sample(40_000, seed=3).to_pandas()
    rows = generator.sample(40_000, balanced="outcome", seed=4).to_pandas()
    assert rows["outcome"].value_counts(normalize=True).to_numpy() == pytest.approx([0.5, 0.5], abs=0.001)
    assert rows["weight"].mean() == pytest.approx(1.0, abs=0.02)
    weights = rows["weight"].to_numpy()
    for made, free in (
        (rows["outcome"] == "ill", plain["outcome"] == "ill"),
        (rows["age"] / 100, plain["age"] / 100),
        (rows["ward"] == "a", plain["ward"] == "a"),
    ):
        weighted = float(np.average(made.to_numpy(), weights=weights))
        assert weighted == pytest.approx(float(free.mean()), abs=0.02)
    assert (rows["outcome"] == "ill").mean() > (plain["outcome"] == "ill").mean() + 0.1


def test_given_shares_and_several_columns_are_balanced_too() -> None:
    generator = TableGenerator(MixtureSampler(MIXTURE), ENCODING)
    given = generator.sample(8192, balanced={"outcome": {"ill": 0.9, "well": 0.1}}).to_pandas()
    assert (given["outcome"] == "ill").mean() == pytest.approx(0.9, abs=0.001)
    several = generator.sample(8192, balanced=["outcome", "ward"], where={"smoker": True}).to_pandas()
    assert (several["smoker"] == "yes").all()
    shares = several.groupby(["outcome", "ward"], dropna=False).size() / 8192
    assert len(shares) == 8
    assert shares.to_numpy() == pytest.approx(np.full(8, 0.125), abs=0.001)


@pytest.mark.parametrize(
    ("balanced", "line"),
    [
        ("age", "categorical or boolean"),
        ("outcomes", "no column"),
        ({"outcome": {"ill": 0.9, "well": 0.2}}, "sum to 1"),
        ({"outcome": {"dead": 1.0}}, "no category"),
    ],
)
def test_a_balance_that_cannot_be_is_refused(balanced: object, line: str) -> None:
    with pytest.raises(InputError, match=line):
        TableGenerator(MixtureSampler(MIXTURE), ENCODING).sample(10, balanced=balanced)  # type: ignore[arg-type]


def test_views_come_in_groups_the_closer_the_smaller_their_deviation(network: NetworkSampler) -> None:
    for sampler in (MixtureSampler(MIXTURE), network):
        generator, alike = TableGenerator(sampler, ENCODING, device="cpu"), []
        for view_std in (0.0, 0.2, 1.0, 5.0):
            rows = generator.sample(6000, views=3, view_std=view_std, seed=2)
            assert rows["group_id"].to_pylist()[:7] == [0, 0, 0, 1, 1, 1, 2]
            assert rows["view_id"].to_pylist()[:4] == [0, 1, 2, 0]
            codes = rows["floor"].to_numpy(zero_copy_only=False).reshape(-1, 3)
            alike.append(float((codes[:, 0] == codes[:, 1]).mean()))
        assert alike[0] == 1.0
        assert (np.diff(alike) < -0.005).all()


def test_views_of_a_network_that_is_told_its_label_are_of_one_label() -> None:
    codes, sizes = ENCODING.encode(small_table(2000)), ENCODING.sizes
    marginals = [Marginal((column, 6), count(codes, sizes, [(column, 6)])[0].astype(np.float64)) for column in range(6)]
    shares = shares_by_class(sizes, 6, marginals)
    spec = GeneratorSpec(sizes, label=6, latent=4, width=16, blocks=1, condition="label", shares=shares)
    model = initial_model(spec, marginals, seed=1)
    network = model.build_generator(torch.device("cpu"), average=True)
    with torch.no_grad():
        # What it is told decides the label; a fit comes to that by itself.
        entry = dict(network.named_parameters())["trunk.entry.weight"]
        entry[:, :4] *= 1e-3
        entry[:, 4:] *= 100
        start = sum(network.units[:6])
        hidden = network.trunk(network.noise(2, torch.Generator(), wish=Wish(torch.tensor([[start], [start + 1]]))))
        network.exit.weight[start : start + 2] = 20 * torch.stack([hidden[0] - hidden[1], hidden[1] - hidden[0]])
    generator = TableGenerator(NetworkSampler(Model.of(network)), ENCODING, device="cpu")
    labels = np.asarray(generator.sample(900, views=3, view_std=0.2, seed=2)["outcome"].to_pylist()).reshape(-1, 3)
    assert len(set(labels[:, 0])) == 2
    assert (labels == labels[:, :1]).mean() > 0.99


def test_a_network_of_another_encoding_or_label_is_refused(network: NetworkSampler) -> None:
    other = NetworkSampler(initial_model(small(), marginals_of(dependent_codes(200)), seed=1))
    with pytest.raises(InputError, match="do not belong together"):
        next(other.tables(ENCODING, 5, 1))
    shares = shares_by_class(SIZES, 2, marginals_of(dependent_codes(200)))
    told = initial_model(small(condition="label", shares=shares), marginals_of(dependent_codes(200)), seed=1)
    for label in (-1, SIZES[2]):
        with pytest.raises(InputError, match=f"no label {label}"):
            next(sample_codes(told, 5, 1, device="cpu", label=label))


def test_groups_go_on_over_blocks() -> None:
    rows = TableGenerator(MixtureSampler(MIXTURE), ENCODING).sample(100, views=3, view_std=0.2, start=8150)
    groups = rows["group_id"].to_numpy()
    np.testing.assert_array_equal(groups, (8150 + np.arange(100)) // 3)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"views": 1000}, "views of a row"),
        ({"views": 2, "view_std": -1.0}, "standard deviation"),
        ({"views": 2, "where": {"ward": "a"}}, "leave out"),
    ],
)
def test_views_that_cannot_be_drawn_are_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(InputError, match=line):
        TableGenerator(MixtureSampler(MIXTURE), ENCODING).sample(10, **options)  # type: ignore[arg-type]


def test_a_kind_without_a_latent_says_that_it_has_no_views() -> None:
    with pytest.raises(InputError, match="kind other has no views"):
        TableGenerator(OtherKind(), ENCODING).sample(10, views=2)


def test_added_columns_make_way_for_the_schemas_own() -> None:
    from headwater.generator.rows import extra_names
    from headwater.schema import NumericColumn, Schema

    columns = tuple(NumericColumn(name=name, lower=0, upper=1) for name in ("weight", "height"))
    assert extra_names(Schema(name="s", columns=columns), ("weight", "view_id")) == {
        "weight": "synthetic_weight",
        "view_id": "view_id",
    }


@pytest.mark.parametrize("rows", [0, -1])
def test_no_rows_are_refused(rows: int) -> None:
    with pytest.raises(InputError, match="at least"):
        TableGenerator(MixtureSampler(MIXTURE), ENCODING).sample(rows)
