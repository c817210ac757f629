"""A generator whose softmaxes' tokens attend to each other."""

import numpy as np
import torch

from headwater.encoding.groups import Group
from headwater.generator.attention import TokenExit
from headwater.generator.network import Generator
from support.codes import small


def attending(blocks: int) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Generator(small(kind="attention", width=16, blocks=blocks, attention_heads=2))


def test_a_token_learns_from_the_others_through_attention_alone() -> None:
    for blocks, attends in ((0, False), (2, True)):
        generator = attending(blocks)
        z = generator.noise(8, torch.Generator().manual_seed(0))
        generator.logits(z)[:, : generator.units[0]].sum().backward()  # type: ignore[no-untyped-call]
        entry = dict(generator.named_parameters())["trunk.entry.weight"].grad
        assert entry is not None
        assert bool(entry[:16].abs().max() > 0)
        assert bool(entry[16:].abs().max() > 0) is attends


def test_each_token_goes_to_its_own_softmax() -> None:
    units = [3, 1, 5]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = TokenExit(4, units)
    with torch.no_grad():
        layer.bias.copy_(torch.arange(9.0))
    tokens = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1))
    parts = [
        tokens[:, token] @ weight.T + bias
        for token, (weight, bias) in enumerate(
            zip(torch.split(layer.weight, units), torch.split(layer.bias, units), strict=True)
        )
    ]
    torch.testing.assert_close(layer(tokens), torch.cat(parts, dim=1))


def test_softmaxes_are_taken_one_by_one_whatever_their_sizes() -> None:
    combinations = np.asarray([[0, 0], [1, 1], [2, 3]], np.int32)
    for groups in ((), (Group((0, 1), combinations),)):
        generator = Generator(small(groups=groups))
        logits = 5 * torch.randn(7, sum(generator.units), generator=torch.Generator().manual_seed(0))
        parts = [part.softmax(dim=1) for part in torch.split(logits, generator.units, dim=1)]
        torch.testing.assert_close(generator.softmax(logits), torch.cat(parts, dim=1))
        drawn = generator.drawn_units(logits, 0.5, torch.Generator().manual_seed(1))
        for part in torch.split(drawn, generator.units, dim=1):
            torch.testing.assert_close(part.sum(dim=1), torch.ones(7))
            torch.testing.assert_close(part.max(dim=1).values, torch.ones(7))


def test_units_are_drawn_as_often_as_their_probabilities_say() -> None:
    generator = Generator(small())
    logits = torch.tensor([[2.0, 0, 0, 1, 1, -1, 0, 0, 3]]).expand(20_000, -1)
    drawn = generator.drawn_units(logits, 0.6, torch.Generator().manual_seed(0)).mean(dim=0)
    # Four standard errors of a share at 20,000 draws.
    torch.testing.assert_close(drawn, generator.softmax(logits)[0], atol=0.015, rtol=0)
