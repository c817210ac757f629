"""A generator network fitted to the noisy tables that the default mixture is fitted to."""

import torch
from torch import Tensor

from headwater.encoding.marginals import Marginal
from headwater.generator.fit import initial_model
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.private_fit.tables import Tables
from headwater.generator.spec import GeneratorSpec
from headwater.mixture.form import label_of
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
    tables = Tables(noisy.marginals, noisy.sizes, label_of(noisy.label, noisy.sizes))
    generator = _begun(noisy, tables, settings)
    random = torch.Generator().manual_seed(noisy.seed)
    optimiser = torch.optim.Adam(generator.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    misfit = torch.zeros(())
    for step in range(settings.steps):
        codes = generator.codes(generator.unit_probabilities(generator.noise(settings.batch, random)))
        misfit = unbiased_misfit(tables, codes) / tables.cells
        optimiser.zero_grad(set_to_none=True)
        misfit.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimiser.step()
        falling.step()
        torch._foreach_lerp_(average, list(generator.parameters()), 1 - min(settings.decay, (1 + step) / (10 + step)))
    weights = torch.cat([part.reshape(-1) for part in average])
    return Model.of(generator, weights), float(misfit.detach())


def unbiased_misfit(tables: Tables, codes: Tensor) -> Tensor:
    """Squared deviations of the tables' cells in units of their noise, without what a batch's own chance adds.

    That is a · b of the deviations a and b of the batch's halves, by way of 2 |(a + b) / 2|² − |a|² / 2 − |b|² / 2.

    Args:
        tables: noisy.
        codes: shape (batch, codes): probabilities of every column's codes, rows independent of each other.

    Source: privacy.md, recipe A, loss under noise.
    """
    first, second = codes.chunk(2)
    apart = _misfit(tables, first) + _misfit(tables, second)
    return 2 * _misfit(tables, codes) - apart / 2


def _misfit(tables: Tables, codes: Tensor) -> Tensor:
    """Each row of the batch is to the tables a component of every class, as heavy as it makes the class likely."""
    classes = codes[:, tables.places[tables.label]].T if tables.label is not None else torch.ones(1, len(codes))
    return tables.misfit(classes / len(codes), codes.expand(tables.classes, *codes.shape))


def _begun(noisy: FitNoisy, tables: Tables, settings: NetworkFit) -> Generator:
    """A network that knows each column's own shares."""
    spec = GeneratorSpec(
        sizes=noisy.sizes, label=noisy.label, latent=settings.latent, width=settings.width, blocks=settings.blocks
    )
    shares = tables.class_shares @ tables.base
    known = [Marginal((column,), shares[place] * tables.rows) for column, place in enumerate(tables.places)]
    return initial_model(spec, known, noisy.seed).build_generator(torch.device("cpu"), average=False)
