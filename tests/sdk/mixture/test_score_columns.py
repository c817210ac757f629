"""Which columns stand in the Gaussian."""

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.mixture.scores import choose_score_columns
from headwater.mixture.settings import MixtureSettings
from headwater.schema import NumericColumn, Schema
from headwater.schema.table import Table


def encoding_of(**values: np.ndarray) -> Encoding:
    schema = Schema(
        name="amounts",
        columns=tuple(NumericColumn(name=name, lower=-1000, upper=9000, integer=True) for name in values),
    )
    table = Table(schema, dict(values), len(next(iter(values.values()))))
    settings = EncodingSettings()
    return Encoding.fit(schema, Histograms.of(schema, settings).count(table), settings)


def test_an_atom_in_the_midst_of_a_columns_values_leaves_it_in_the_gaussian() -> None:
    random = np.random.default_rng(0)
    amounts = np.rint(random.normal(500, 300, 4000)).clip(-1000, 9000)
    amounts[:400] = 650
    encoding = encoding_of(amounts=amounts)
    # The atom has a code of its own inside a run of cells that share one.
    assert (np.diff(encoding.columns[0].code_of_cell) < 0).any()
    assert choose_score_columns(encoding, None, MixtureSettings()) == (0,)


def test_a_column_of_few_values_or_mostly_atoms_is_held_as_codes() -> None:
    random = np.random.default_rng(0)
    mostly = np.where(random.random(4000) < 0.6, 0.0, np.rint(random.normal(500, 300, 4000)).clip(-1000, 9000))
    encoding = encoding_of(few=random.integers(0, 20, 4000).astype(np.float64), mostly=mostly)
    assert choose_score_columns(encoding, None, MixtureSettings()) == ()
