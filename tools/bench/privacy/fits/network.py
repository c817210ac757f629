"""A generator network fitted to the noisy tables that the default mixture is fitted to."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal
from headwater.generator.fit import initial_model
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.private_fit.tables import Tables
from headwater.generator.spec import GeneratorSpec
from headwater.mixture.form import Form, label_of
from headwater.recipe.actions import FitNoisy
from privacy.fits.settings import NetworkFit

__all__ = ["fit_network", "unbiased_misfit"]


def fit_network(noisy: FitNoisy, settings: NetworkFit) -> tuple[Model, float]:
    """Fit the network that a run without privacy has, and say how well it fits.

    Args:
        noisy: what a run under a budget counted.
        settings: of the fit.

    Returns:
        The network, and its last misfit a cell in units of the noise, as the mixture's fit reports it.
    """
    tables = Tables(noisy.marginals, noisy.sizes, label_of(noisy.label, noisy.sizes), noisy.terms.coupling)
    generator, random = _begun(tables, settings, noisy.seed), torch.Generator().manual_seed(noisy.seed)
    optimiser = torch.optim.Adam(generator.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    misfit = torch.zeros(())
    for step in range(settings.steps):
        rows = _rows(tables.form, generator, generator.unit_probabilities(generator.noise(settings.batch, random)))
        misfit = unbiased_misfit(tables, *rows) / tables.cells
        optimiser.zero_grad(set_to_none=True)
        misfit.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimiser.step()
        falling.step()
        torch._foreach_lerp_(average, list(generator.parameters()), 1 - min(settings.decay, (1 + step) / (10 + step)))
    weights = torch.cat([part.reshape(-1) for part in average])
    return Model.of(generator, weights), float(misfit.detach())


def unbiased_misfit(tables: Tables, classes: Tensor, cells: Tensor) -> Tensor:
    """Squared deviations of the tables' cells in units of their noise, without what a batch's own chance adds.

    That is a · b of the deviations a and b of the batch's halves, by way of 2 |(a + b) / 2|² − |a|² / 2 − |b|² / 2.

    Args:
        tables: noisy.
        classes: shape (batch, classes): how likely a row is of each class.
        cells: shape (batch, cells of the units): how likely each is; rows are independent of each other.

    Source: privacy.md, recipe A, loss under noise.
    """
    halves = zip(classes.chunk(2), cells.chunk(2), strict=True)
    apart = sum((_misfit(tables, *half) for half in halves), torch.zeros(()))
    return 2 * _misfit(tables, classes, cells) - apart / 2


def _misfit(tables: Tables, classes: Tensor, cells: Tensor) -> Tensor:
    """A row of the batch is to the tables a component of every class, as heavy as it makes the class likely."""
    return tables.misfit(classes.T / len(classes), cells.expand(tables.classes, *cells.shape))


def _rows(form: Form, generator: Generator, units: Tensor) -> tuple[Tensor, Tensor]:
    """A batch's heads as the tables have them: the label's, then super-columns and columns in the form's order."""
    parts = torch.split(units, generator.units, dim=1)
    by_columns = {head.columns: part for head, part in zip(generator.heads, parts, strict=True)}
    classes = torch.ones(len(units), 1) if form.label is None else by_columns[(form.label,)]
    ordered = [*(group.columns for group in form.groups), *((column,) for column in form.alone)]
    return classes, torch.cat([by_columns[columns] for columns in ordered], dim=1)


def _begun(tables: Tables, settings: NetworkFit, seed: int) -> Generator:
    """A network that knows what each of its heads holds by itself."""
    form = tables.form
    spec = GeneratorSpec(
        sizes=form.sizes,
        groups=form.groups,
        label=form.label,
        latent=settings.latent,
        width=settings.width,
        blocks=settings.blocks,
    )
    known = [] if form.label is None else [Marginal((form.label,), tables.class_shares)]
    units: list[Group | int] = [*form.groups, *form.alone]
    for unit, place in zip(units, tables.places, strict=True):
        known.append(_marginal(unit, tables.class_shares @ tables.base[:, place], form.sizes))
    return initial_model(spec, known, seed).build_generator(torch.device("cpu"), average=False)


def _marginal(unit: Group | int, shares: NDArray[np.float64], sizes: Sequence[int]) -> Marginal:
    """What a unit holds, as a table of its columns."""
    if not isinstance(unit, Group):
        return Marginal((unit,), shares)
    shape = [sizes[column] for column in unit.columns]
    table = np.zeros(shape)
    table[tuple(unit.combinations.T)] = shares
    return Marginal(unit.columns, table.reshape(-1))
