"""A smaller generator that draws nearly the same rows."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import Marginal, choose_subsets, count
from headwater.errors import InputError
from headwater.generator.fit import FitTerms, fit_to_marginals
from headwater.generator.model import Model
from headwater.generator.packing import pack_network, unpack_network
from headwater.generator.sampler import MixtureSampler, NetworkSampler, Sampler
from headwater.generator.sampling import sample_codes
from headwater.mixture.merging import merge_components
from headwater.mixture.packing import Precision, pack_mixture, unpack_mixture
from headwater.schema.table import Table

__all__ = ["Fidelity", "compress", "fidelity"]

_LEARNED_FROM = 100_000
_CELLS = 2_000_000
_BATCH = 8192


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far the draws of a generator are from those of the original, beside what chance makes of two equal ones.

    Attributes:
        tvd1: mean total variation distance of columns' codes.
        tvd2: of pairs of columns.
        floor1: `tvd1` of two samples of the original.
        floor2: `tvd2` of two samples of the original.
    """

    tvd1: float
    tvd2: float
    floor1: float
    floor2: float

    @property
    def excess(self) -> float:
        """TVD of pairs above chance, at least 0; NaN where a distance is."""
        above = self.tvd2 - self.floor2
        # `max` would take 0 for NaN, which then lies within any tolerance.
        return 0.0 if above <= 0 else above


def compress(
    sampler: Sampler,
    *,
    precision: Precision,
    components: int | None = None,
    width: int | None = None,
    terms: FitTerms,
    seed: int = 0,
    device: str = "auto",
    on_progress: Callable[[int, float], None] | None = None,
) -> Sampler:
    """A generator of fewer bytes; sampling takes what the bytes hold, rounded.

    Args:
        sampler: a mixture or a network.
        precision: of shares or weights.
        components: a mixture's closest components are merged until so many are left; None merges none.
        width: a network is distilled into one of this width, fitted to the marginals of its own draws; None keeps it.
        terms: of that fit.
        seed: of draws and fit.
        device: where a network runs.
        on_progress: called during the fit with steps done and loss.

    Raises:
        InputError: another kind, or components or width of the wrong kind or out of range.
    """
    if isinstance(sampler, MixtureSampler):
        if width is not None:
            raise InputError("a mixture has no width; say how many components it shall have")
        mixture = sampler.mixture if components is None else merge_components(sampler.mixture, components)
        data = pack_mixture(mixture, precision)
        return MixtureSampler(unpack_mixture(data), data)
    if isinstance(sampler, NetworkSampler):
        if components is not None:
            raise InputError("a network has no components; say how wide it shall be")
        model = sampler.model
        if width is not None:
            model = _distilled(model, width, terms, seed, device, on_progress)
        data = pack_network(model, precision)
        return NetworkSampler(unpack_network(data), data)
    raise InputError(f"a generator of kind {sampler.kind} cannot be compressed; give a mixture or a network")


def fidelity(
    original: Sampler,
    compressed: Sampler,
    encoding: Encoding,
    *,
    rows: int = 100_000,
    seed: int = 0,
    device: str = "auto",
) -> Fidelity:
    """Compare the draws of two generators of one encoding by their codes.

    Args:
        original: to compare with.
        compressed: of the same columns.
        encoding: of both.
        rows: of each of three independent samples.
        seed: of the samples.
        device: where a network runs.
    """
    reference, again, other = (
        _codes(sampler, encoding, rows, seed + number, device)
        for number, sampler in enumerate((original, original, compressed))
    )
    pairs: list[tuple[int, ...]] = [pair for pair in choose_subsets(encoding.sizes, None, _CELLS) if len(pair) == 2]
    columns: list[tuple[int, ...]] = [(column,) for column in range(len(encoding.sizes))]
    floors, found = (
        [_mean_distance(reference, codes, encoding.sizes, subsets) for subsets in (columns, pairs)]
        for codes in (again, other)
    )
    return Fidelity(found[0], found[1], floors[0], floors[1])


def _codes(sampler: Sampler, encoding: Encoding, rows: int, seed: int, device: str) -> np.ndarray:
    tables: list[Table] = list(sampler.tables(encoding, rows, seed, batch_size=_BATCH, device=device))
    return np.concatenate([encoding.encode(table) for table in tables])


def _mean_distance(
    left: np.ndarray, right: np.ndarray, sizes: tuple[int, ...], subsets: list[tuple[int, ...]]
) -> float:
    if not subsets:
        return 0.0
    counted = zip(count(left, sizes, subsets), count(right, sizes, subsets), strict=True)
    return float(np.mean([0.5 * np.abs(a / len(left) - b / len(right)).sum() for a, b in counted]))


def _distilled(
    model: Model,
    width: int,
    terms: FitTerms,
    seed: int,
    device: str,
    on_progress: Callable[[int, float], None] | None,
) -> Model:
    spec = dataclasses.replace(model.spec, width=width)
    codes = np.concatenate(list(sample_codes(model, _LEARNED_FROM, seed, _BATCH, device)))
    subsets = [group.columns for group in spec.groups]
    subsets += [each for each in choose_subsets(spec.sizes, spec.label, _CELLS) if each not in subsets]
    counts = count(codes, spec.sizes, subsets)
    marginals = [Marginal(each, table.astype(np.float64)) for each, table in zip(subsets, counts, strict=True)]
    return fit_to_marginals(spec, marginals, terms, seed, device, on_progress)
