"""Mixtures, forms and rows for tests: small, mixed, with everything that a form can hold."""

from dataclasses import replace

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.groups import settle_groups
from headwater.encoding.marginals import Marginal, count
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.settings import MixtureSettings
from headwater.mixture.start import components_of_classes, first_mixture
from headwater.schema.table import Table
from support.recipes import SCHEMA, small_plan, small_table

__all__ = ["MIXTURE_PLAN", "SETTINGS", "encoding_of", "form_of", "mixture_of", "part_of", "together"]

SETTINGS = MixtureSettings(rows_per_component=(100, 50, 25), rounds=6)

MIXTURE_PLAN = small_plan("mixture", mixture=SETTINGS.model_dump())


def encoding_of(table: Table) -> Encoding:
    """An encoding fitted to a table, as a small plan would."""
    settings = MIXTURE_PLAN.recipe.encoding
    return Encoding.fit(table.schema, Histograms.of(table.schema, settings).count(table), settings)


def form_of(table: Table, encoding: Encoding, *, label: int | None = len(SCHEMA.columns) - 1) -> Form:
    """A form with a super-column of ward and floor."""
    columns = (SCHEMA.names.index("ward"), SCHEMA.names.index("floor"))
    joint = [Marginal(columns, count(encoding.encode(table), encoding.sizes, [columns])[0].astype(np.float64))]
    groups = settle_groups(joint, encoding.sizes, most_combinations=100)
    return Form.choose(encoding, label, groups, SETTINGS)


def mixture_of(form: Form, rows: RowFeatures, components: int = 6, seed: int = 0) -> Mixture:
    """First parameters around the rows' own 1-way counts."""
    counts = [
        np.bincount(rows.units[:, unit], minlength=size).astype(np.float64) for unit, size in enumerate(form.unit_sizes)
    ]
    classes = np.bincount(rows.classes, minlength=form.classes).astype(np.float64)
    per_class = components_of_classes(classes.tolist(), classes.sum() / components, 1000)
    return replace(first_mixture(form, counts, per_class, np.random.default_rng(seed)), span=(-60.0, 20.0))


def part_of(rows: RowFeatures, chosen: np.ndarray) -> RowFeatures:
    """Some of the rows."""
    return rows.take(chosen)


def together(
    rows: int = 600, *, label: int | None = len(SCHEMA.columns) - 1
) -> tuple[Table, Encoding, Form, RowFeatures]:
    """A table with its encoding, form and rows."""
    table = small_table(rows)
    encoding = encoding_of(table)
    form = form_of(table, encoding, label=label)
    return table, encoding, form, form.rows(table, encoding)
