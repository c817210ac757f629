"""A few rounds of expectation and maximisation of a latent-class mixture, every sum of them with noise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headwater.mixture.density import Natural, chunks
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.maximisation import unit_shares
from headwater.mixture.parameters import LEAST_SHARE, Mixture
from headwater.mixture.start import first_mixture
from headwater.privacy.calibration import calibrate_gradients
from headwater.privacy.discrete_gaussian import discrete_gaussian
from headwater.privacy.events import Event, NoisyGradients
from headwater.privacy.poisson_sample import WHOLE_RATE
from headwater.privacy.shares import carried_variance, share_of_noise
from privacy.fits.settings import EmFit

__all__ = ["KnownShares", "NoisedSums", "fit_em", "posterior_sums", "sums_in_budget", "tables_of"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_LEAST_ROWS = 1.0
_RAKINGS = 5


@dataclass(frozen=True, slots=True)
class NoisedSums:
    """Noise of every round's sums.

    Attributes:
        event: that the accountant is told: all rounds.
        units: whole numbers that one record has in each table; they stand for 1 row.
        honest: organisations whose noise must suffice.

    Guarantee: adding or removing one record moves a round's sums by at most `event.sensitivity` in Euclidean norm. In
    each of the tables that `tables_of` counts the record has one code, and its posterior there, whole numbers from 0
    on that add up to `units`: a vector of norm at most `units`, reached where one component has it all. Together that
    is at most units × √tables.
    """

    event: NoisyGradients
    units: int
    honest: int

    def noised(self, sums: Sequence[I64]) -> tuple[F64, float]:
        """Organisations' sums, each with its own share of the noise, added up.

        Returns:
            The sum in rows, and its noise's standard deviation in rows.
        """
        share = share_of_noise(self.event.variance, self.honest)
        total = sum(part + discrete_gaussian(part.size, share).reshape(part.shape) for part in sums)
        deviation = carried_variance(self.event.variance, self.honest, len(sums)) ** 0.5
        return np.asarray(total) / self.units, deviation / self.units


@dataclass(frozen=True, slots=True, eq=False)
class KnownShares:
    """What is known of each class's codes.

    Attributes:
        form: of the mixture.
        counts: float64, shape (classes, cells): rows by code; may be negative.
        variance: float64, same shape: of their noise.
    """

    form: Form
    counts: F64
    variance: F64

    def combined(self, counts: F64, variance: float) -> "KnownShares":
        """These and others of the same codes, weighted by what their noise leaves of them."""
        both = 1 / (1 / self.variance + 1 / variance)
        return KnownShares(self.form, both * (self.counts / self.variance + counts / variance), both)

    @property
    def shares(self) -> F64:
        """Each class's share of each unit's codes: shape (classes, cells), each unit's part sums to 1."""
        return unit_shares(self.form, np.maximum(self.counts, 0.0), np.full(self.form.cells, LEAST_SHARE), 1.0)


def tables_of(form: Form) -> int:
    """Tables that one record adds to in a round: components by their rows, and each unit's codes by component.

    With a label, whose codes are the mixture's classes, that is one for each column.
    """
    return 1 + len(form.unit_sizes)


def sums_in_budget(
    form: Form, rounds: int, epsilon: float, delta: float, honest: int, beside: Sequence[Event]
) -> NoisedSums:
    """The noise that lets so many rounds use up what other events leave of a budget.

    Args:
        form: of the mixture.
        rounds: how many.
        epsilon: of everything together.
        delta: of everything together.
        honest: organisations that share the noise.
        beside: what else is released.
    """
    event = calibrate_gradients(epsilon, delta, rate=WHOLE_RATE, steps=rounds, honest=honest, beside=beside)
    return NoisedSums(event, int(event.sensitivity / tables_of(form) ** 0.5), honest)


def fit_em(parts: Sequence[RowFeatures], known: KnownShares, settings: EmFit, sums: NoisedSums, seed: int) -> Mixture:
    """Climb from a public start by noised sums alone.

    Args:
        parts: each organisation's training rows.
        known: of the classes, from the counts that codes were made from.
        settings: of the fit.
        sums: whose event is of `settings.rounds`.
        seed: public.
    """
    form, random = known.form, np.random.default_rng(seed)
    flat = [np.ones(size) for size in form.unit_sizes]
    mixture = first_mixture(form, flat, np.full(form.classes, settings.components), random)
    for _ in range(settings.rounds):
        noised, deviation = sums.noised([posterior_sums(mixture, part, sums.units) for part in parts])
        # What a class holds of each code is in every round's sums, whatever its components are.
        counted = np.stack([noised[part, 1:].sum(axis=0) for part in mixture.class_slices])
        known = known.combined(counted, settings.components * deviation**2)
        mixture = _maximised(mixture, noised, deviation, known)
    return mixture


def posterior_sums(mixture: Mixture, rows: RowFeatures, units: int) -> I64:
    """One organisation's sums: rows, and rows by code, of each component.

    Args:
        mixture: without scores.
        rows: of the organisation.
        units: as of `NoisedSums`.

    Returns:
        Shape (components, 1 + cells), in units.
    """
    natural, sums = Natural(mixture), np.zeros((mixture.components, 1 + mixture.form.cells), np.int64)
    for part, positions in chunks(rows, mixture):
        features = natural.features(rows, positions)
        held = _whole(natural.responsibilities(features, part)[0], units).T
        sums[part, 0] += held.sum(axis=1)
        # Float64 adds whole numbers without an error.
        sums[part, 1:] += np.rint(held.astype(np.float64) @ features.codes).astype(np.int64)
    return sums


def _whole(shares: F32, units: int) -> I64:
    """Shares as whole numbers from 0 on; each row's add up to `units`."""
    ends = np.rint(np.minimum(np.cumsum(shares.astype(np.float64), axis=1), 1.0) * units).astype(np.int64)
    ends[:, -1] = units
    whole: I64 = np.diff(ends, axis=1, prepend=0)
    return whole


def _maximised(mixture: Mixture, noised: F64, deviation: float, known: KnownShares) -> Mixture:
    """Components from noisy sums; codes lean to the class's own as far as noise may explain that they differ.

    Args:
        mixture: that the sums were taken under.
        noised: shape (components, 1 + cells), in rows.
        deviation: of each sum's noise, in rows.
        known: of the classes, with less noise.

    Source: James, Stein 1961, the positive part.
    """
    form = mixture.form
    sizes = np.array(form.unit_sizes)
    # Each unit's codes add up to a component's rows once more, with the noise of so many cells.
    totals = np.concatenate([noised[:, :1], np.add.reduceat(noised[:, 1:], form.offsets[:-1], axis=1)], axis=1)
    rows = np.maximum(np.average(totals, axis=1, weights=1 / np.concatenate([[1], sizes])), _LEAST_ROWS)
    weights, common = rows / rows.sum(), known.shares[mixture.classes]
    expected = rows[:, None] * common
    apart = noised[:, 1:] - expected
    squares = np.add.reduceat(apart**2, form.offsets[:-1], axis=1)
    chance = np.maximum(sizes - 1, 1) * deviation**2
    kept = np.repeat(np.maximum(1 - chance / np.maximum(squares, 1e-9), 0.0), sizes, axis=1)
    shares = unit_shares(form, np.maximum(expected + kept * apart, 0.0), np.full(form.cells, LEAST_SHARE), 1.0)
    fitted = Mixture(form, mixture.classes, weights, shares, mixture.means, mixture.factors)
    return _raked(fitted, known)


def _raked(mixture: Mixture, known: KnownShares) -> Mixture:
    """The mixture with each class's codes as they are known: cut at 0, noise left too much of what is rare."""
    form, shares = mixture.form, mixture.shares
    for _ in range(_RAKINGS):
        held = np.stack([np.average(shares[p], axis=0, weights=mixture.weights[p]) for p in mixture.class_slices])
        raised = shares * (known.shares / held)[mixture.classes]
        shares = unit_shares(form, raised, np.full(form.cells, LEAST_SHARE), 0.0)
    return replace(mixture, shares=shares)
