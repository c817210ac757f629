"""Matrix products of a generator in bfloat16, for drawing rows where the processor has instructions for it."""

import torch
from torch import Tensor, nn

from headwater.generator.network import Generator

__all__ = ["halved", "has_half_precision"]


def has_half_precision(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster there: a processor with AVX512-BF16 or AMX."""
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def halved(generator: Generator) -> Generator:
    """The same generator, in place, with its linear layers' products in bfloat16; all else stays float32.

    Biases are added in float32: the last one holds the logarithms of the marginals, and rounded it would shift every
    draw of a rare code the same way. What is left is noise of 2⁻⁸ of a product, which differs from row to row.

    Args:
        generator: for drawing only; it cannot be trained afterwards.
    """
    for layer in generator.modules():
        # Subclasses are used in other ways than by calling them.
        if type(layer) is nn.Linear:
            _halve(layer)
    return generator


def _halve(layer: nn.Linear) -> None:
    bias = layer.bias.detach().clone()
    nn.init.zeros_(layer.bias)
    layer.to(torch.bfloat16)

    def narrow(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0].to(torch.bfloat16),)

    def widen(_: nn.Module, __: tuple[Tensor], product: Tensor) -> Tensor:
        return product.float().add_(bias)

    layer.register_forward_pre_hook(narrow)
    layer.register_forward_hook(widen)
