"""First parameters, and more components from fewer, by public chance: never from a row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.mixture.form import Form
from headwater.mixture.maximisation import unit_shares
from headwater.mixture.parameters import LEAST_SHARE, Mixture

__all__ = ["components_of_classes", "first_mixture", "split_components"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Shapes of the gamma draws that shares are multiplied with: the first components differ much, the halves of one less.
_FIRST_SHAPE, _SPLIT_SHAPE = 0.8, 4.0
_FIRST_DEVIATION = 0.7
_SPLIT_STEP = 0.7


def components_of_classes(class_rows: Sequence[float], rows_per_component: float, most: int) -> I64:
    """How many components each class gets: one for so many rows, one at least where there is a row.

    Args:
        class_rows: rows of each class, from a summed count.
        rows_per_component: above 0.
        most: of all classes together; a class with rows keeps one all the same.

    Returns:
        int64, shape (classes,).
    """
    rows = np.asarray(class_rows, dtype=np.float64)
    wished = rows / rows_per_component
    wished *= min(1.0, most / max(wished.sum(), 1.0))
    return np.where(rows > 0, np.maximum(1, np.floor(wished + 0.5)), 0).astype(np.int64)


def first_mixture(form: Form, unit_counts: Sequence[F64], per_class: I64, random: np.random.Generator) -> Mixture:
    """Components drawn around the summed 1-way counts of each unit.

    Args:
        form: of the mixture.
        unit_counts: summed counts of each unit's codes, in the form's order.
        per_class: components of each class, one in all at least.
        random: seeded by the plan.
    """
    components, scores = int(per_class.sum()), len(form.scores)
    counts = np.concatenate([np.asarray(part, dtype=np.float64) for part in unit_counts]) if form.cells else np.zeros(0)
    around = unit_shares(form, counts, np.full(form.cells, LEAST_SHARE), 1.0)
    drawn = random.gamma(_FIRST_SHAPE, size=(components, form.cells)) * around
    return Mixture(
        form=form,
        classes=np.repeat(np.arange(form.classes, dtype=np.int32), per_class),
        weights=np.full(components, 1.0 / components),
        shares=unit_shares(form, drawn, around, 0.01),
        means=random.normal(size=(components, scores)),
        factors=np.repeat(_FIRST_DEVIATION * np.eye(scores)[None], components, axis=0),
    )


def split_components(mixture: Mixture, per_class: I64, random: np.random.Generator) -> Mixture:
    """The same mixture with more components: the heaviest of each class become two that differ a little.

    Args:
        mixture: fitted.
        per_class: components wanted of each class; a class that has as many or more stays as it is.
        random: seeded by the plan.
    """
    parts = [
        _grown(mixture, np.arange(part.start, part.stop), int(wanted), random)
        for part, wanted in zip(mixture.class_slices, per_class, strict=True)
    ]
    classes = np.repeat(np.arange(len(parts), dtype=np.int32), [len(weights) for weights, *_ in parts])
    weights, shares, means, factors = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Mixture(mixture.form, classes, weights / weights.sum(), shares, means, factors, mixture.span)


def _grown(mixture: Mixture, places: I64, wanted: int, random: np.random.Generator) -> tuple[F64, F64, F64, F64]:
    form = mixture.form
    weights, shares = mixture.weights[places], mixture.shares[places]
    means, factors = mixture.means[places], mixture.factors[places]
    while 0 < len(weights) < wanted:
        chosen = np.argsort(-weights, kind="stable")[: wanted - len(weights)]
        step = np.einsum("kij,kj->ki", factors[chosen], random.normal(size=(len(chosen), means.shape[1]))) * _SPLIT_STEP
        weights = np.concatenate([weights, weights[chosen] / 2])
        weights[chosen] /= 2
        first, second = (_disturbed(form, shares[chosen], random) for _ in range(2))
        shares = np.concatenate([shares, second])
        shares[chosen] = first
        means = np.concatenate([means, means[chosen] - step])
        means[chosen] += step
        factors = np.concatenate([factors, factors[chosen]])
    return weights, shares, means, factors


def _disturbed(form: Form, shares: F64, random: np.random.Generator) -> F64:
    return unit_shares(form, shares * random.gamma(_SPLIT_SHAPE, size=shares.shape), np.zeros(form.cells), 0.0)
