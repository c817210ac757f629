"""Groups of rows from neighbouring latents of a mixture."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.mixture.conditioning import pick_units
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.sampling import Draws, pick_components, stacked_shares
from headwater.schema.table import Table

__all__ = ["MixtureViews", "chosen_rows", "correlation"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def correlation(view_std: float) -> float:
    """Correlation of a view's latent with its anchor's: that of z with z + w, w of this standard deviation.

    Args:
        view_std: 0 gives equal rows, a large one unrelated rows.

    Raises:
        InputError: negative or not finite.
    """
    if not math.isfinite(view_std) or view_std < 0:
        raise InputError(f"views with standard deviation {view_std} cannot be drawn; give a number from 0 on")
    return 1.0 / math.sqrt(1.0 + view_std * view_std)


def chosen_rows(mask: NDArray[np.bool_], held: Table, other: Table) -> Table:
    """Rows of `held` where the mask is true, else of `other`."""
    columns = {name: np.where(mask, held.columns[name], other.columns[name]) for name in held.schema.names}
    return Table(held.schema, columns, held.rows)


class MixtureViews:
    """Views of a mixture, whose latent is defined here.

    A row is fixed by its component, one uniform for each unit (through the component's cumulative shares a code), a
    standard normal vector that the component's Gaussian shapes, and the places of its values inside codes. A view keeps
    its anchor's component, each of its uniforms, and the places with probability ρ each, and draws them afresh
    otherwise: codes have no neighbours to move to. Its normals are ρ z + √(1 − ρ²) w. With ρ = 1/√(1 + s²)
    this is the law of z + s w scaled back to the standard normal.

    Guarantee: each view alone is a row of the mixture without its tilt, whatever s: weights of kept draws have no
        neighbours either.
    Source: Jahanian et al., ICLR 2022, *Generative models as a data source for multiview representation learning*.
    """

    def __init__(self, mixture: Mixture, encoding: Encoding) -> None:
        """Prepare the tables to draw from.

        Raises:
            InputError: the encoding is of another mixture.
        """
        if mixture.form.sizes != encoding.sizes:
            raise InputError("the mixture's columns are not the encoding's; they do not belong together")
        self._mixture, self._encoding = mixture, encoding
        self._draws = Draws(mixture)
        offsets = mixture.form.offsets
        self._tables = [stacked_shares(mixture.shares[:, start:end]) for start, end in itertools.pairwise(offsets)]

    def tables(self, groups: int, views: int, view_std: float, key: Sequence[int]) -> list[Table]:
        """One table a view: row i of each is of group i, the first view is the anchor.

        Args:
            groups: how many anchors.
            views: rows of each group.
            view_std: s above.
            key: equal keys give equal rows.
        """
        rho = correlation(view_std)
        random = np.random.default_rng([*key, 0])
        weights = self._mixture.weights
        components = pick_components(weights, random.random(groups))
        units, scores = len(self._tables), len(self._mixture.form.scores)
        chance, normals = random.random((groups, units)), random.normal(size=(groups, scores))
        anchor = self._decoded(components, chance, normals, [*key, 1])
        made = [anchor]
        for view in range(1, views):
            stays, others = random.random(groups) < rho, pick_components(weights, random.random(groups))
            moved = np.where(stays, components, others)
            redrawn = np.where(random.random((groups, units)) < rho, chance, random.random((groups, units)))
            shifted = rho * normals + math.sqrt(1.0 - rho * rho) * random.normal(size=(groups, scores))
            held = random.random(groups) < rho
            same, other = (self._decoded(moved, redrawn, shifted, [*key, number]) for number in (1, 1 + view))
            made.append(chosen_rows(held, same, other))
        return made

    def _decoded(self, components: I64, chance: F64, normals: F64, key: Sequence[int]) -> Table:
        mixture = self._mixture
        codes = np.empty(chance.shape, np.int32)
        for unit, table in enumerate(self._tables):
            codes[:, unit] = pick_units(table, components, chance[:, unit])
        scores = np.empty((len(components), len(mixture.form.scores)))
        order = np.argsort(components, kind="stable")
        kinds, starts = np.unique(components[order], return_index=True)
        for component, start, end in zip(kinds, starts, np.append(starts[1:], len(order)), strict=True):
            places = order[start:end]
            scores[places] = mixture.means[component] + normals[places] @ mixture.factors[component].T
        features = self._draws.calibrated(RowFeatures(mixture.classes[components], codes, scores))
        # Values inside codes are drawn in the order of the rows: equal keys give a group's rows equal places.
        return mixture.form.table(features, self._encoding, np.random.default_rng(list(key)))
