"""A mixture of fewer components, close to a given one."""

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.parameters import Mixture

__all__ = ["merge_components"]

F64 = NDArray[np.float64]


def merge_components(mixture: Mixture, components: int) -> Mixture:
    """Merge the closest two components of one class until so many are left.

    Two are replaced by the component with their joint weight, shares, mean and covariance. The closest are those whose
    merging raises the bound on the loss of likelihood least: joint weight times entropy of the merged, less those of
    the two, summed over units and the Gaussian.

    Args:
        mixture: to begin with.
        components: at least one for each class that has any.

    Returns:
        The mixture itself where it has no more components than that.

    Raises:
        InputError: fewer components than classes with rows.

    Source: Runnalls 2007, *Kullback-Leibler approach to Gaussian mixture reduction*.
    """
    classes = len(np.unique(mixture.classes))
    if components < classes:
        raise InputError(
            f"a mixture of {classes} classes cannot have {components} components; ask for {classes} or more"
        )
    if components >= mixture.components:
        return mixture
    parts = _Parts(mixture)
    costs = np.full((mixture.components, mixture.components), np.inf)
    for place in range(mixture.components):
        costs[place, place + 1 :] = parts.costs(place, np.arange(place + 1, mixture.components))
    for _ in range(mixture.components - components):
        first, second = divmod(int(np.argmin(costs)), len(costs))
        parts.merge(first, second)
        costs[second, :] = costs[:, second] = np.inf
        others = np.flatnonzero(parts.alive)
        others = others[others != first]
        fresh = parts.costs(first, others)
        below = others < first
        costs[others[below], first] = fresh[below]
        costs[first, others[~below]] = fresh[~below]
    return parts.mixture()


class _Parts:
    """Components in a form that is merged by sums."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        self.alive = np.ones(mixture.components, np.bool_)
        self._weights = mixture.weights.copy()
        self._shares = mixture.shares.copy()
        self._means = mixture.means.copy()
        self._covariances = mixture.factors @ np.swapaxes(mixture.factors, 1, 2)
        self._entropies = _entropy(self._shares, self._covariances)

    def _joined(self, first: int, others: NDArray[np.intp]) -> tuple[F64, F64, F64, F64]:
        weights = self._weights[first] + self._weights[others]
        part = (self._weights[first] / weights)[:, None]
        shares = part * self._shares[first] + (1 - part) * self._shares[others]
        apart = self._means[first] - self._means[others]
        means = part * self._means[first] + (1 - part) * self._means[others]
        wide = part[:, :, None]
        covariances = wide * self._covariances[first] + (1 - wide) * self._covariances[others]
        covariances += wide * (1 - wide) * apart[:, :, None] * apart[:, None, :]
        return weights, shares, means, covariances

    def costs(self, first: int, others: NDArray[np.intp]) -> F64:
        """Loss of likelihood by merging one component with each of others; infinite between classes."""
        classes = self._mixture.classes
        found = np.full(len(others), np.inf)
        same = np.flatnonzero(classes[others] == classes[first])
        if len(same):
            chosen = others[same]
            weights, shares, _, covariances = self._joined(first, chosen)
            apart = self._weights[first] * self._entropies[first] + self._weights[chosen] * self._entropies[chosen]
            found[same] = weights * _entropy(shares, covariances) - apart
        return found

    def merge(self, first: int, second: int) -> None:
        """Put the second into the first."""
        weights, shares, means, covariances = self._joined(first, np.asarray([second]))
        self._weights[first], self._shares[first] = weights[0], shares[0]
        self._means[first], self._covariances[first] = means[0], covariances[0]
        self._entropies[first] = _entropy(shares, covariances)[0]
        self.alive[second] = False

    def mixture(self) -> Mixture:
        """What is left, in the order of classes."""
        left = np.flatnonzero(self.alive)
        before = self._mixture
        factors = before.factors[left]
        if before.means.shape[1]:
            factors = np.linalg.cholesky(self._covariances[left]).astype(np.float64, copy=False)
        weights = self._weights[left] / self._weights[left].sum()
        return Mixture(
            before.form,
            before.classes[left],
            weights,
            self._shares[left],
            self._means[left],
            factors,
            before.span,
            before.tilt,
        )


def _entropy(shares: F64, covariances: F64) -> F64:
    """Entropy of components, up to a constant: units and half the log-determinant."""
    entropy: F64 = -(shares * np.log(shares)).sum(axis=1)
    return entropy + 0.5 * np.linalg.slogdet(covariances)[1] if covariances.shape[1] else entropy
