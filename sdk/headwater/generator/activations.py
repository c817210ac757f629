"""Activations by name, the learned one of DY-ReLU-B among them."""

import torch
from torch import Tensor, nn

__all__ = ["DynamicReLU", "activation_of"]

_PIECES = 2
_REDUCTION = 8
# Source: Chen et al. 2020, section 3.2: initial coefficients and the range that the hyper-function may add.
_SLOPES, _OFFSETS = (1.0, 0.0), (0.0, 0.0)
_SLOPE_RANGE, _OFFSET_RANGE = 1.0, 0.5


class DynamicReLU(nn.Module):
    """The larger of two lines, whose slopes and offsets a small network reads off the row itself.

    For each unit y = max_k (a_k(x) · x + b_k(x)), with a = (1, 0) + 1 · δ, b = 0 + ½ · δ and δ in (−1, 1) from
    width → width/8 → 4 · width. A fresh one is the ordinary ReLU: the last layer of the small network starts at zero.

    Args:
        width: units of the layer that it follows.

    Source: Chen et al. 2020 (arXiv:2003.10027), DY-ReLU-B with K = 2; a vector has nothing to pool over.
    """

    slopes: Tensor
    offsets: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(1, width // _REDUCTION)
        self.squeeze = nn.Linear(width, hidden)
        self.excite = nn.Linear(hidden, 2 * _PIECES * width)
        nn.init.zeros_(self.excite.weight)
        nn.init.zeros_(self.excite.bias)
        self.register_buffer("slopes", torch.tensor(_SLOPES)[:, None], persistent=False)
        self.register_buffer("offsets", torch.tensor(_OFFSETS)[:, None], persistent=False)

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets, each of shape (..., 2, width), of rows of shape (..., width)."""
        change = 2 * torch.sigmoid(self.excite(torch.relu(self.squeeze(x)))) - 1
        slopes, offsets = change.reshape(*x.shape[:-1], 2, _PIECES, x.shape[-1]).unbind(dim=-3)
        return self.slopes + _SLOPE_RANGE * slopes, self.offsets + _OFFSET_RANGE * offsets

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., width) to the same."""
        slopes, offsets = self.coefficients(x)
        return (slopes * x.unsqueeze(-2) + offsets).amax(dim=-2)


def activation_of(name: str, width: int) -> nn.Module:
    """The activation after a layer of `width` units; `name` is one of `headwater.generator.spec.ACTIVATIONS`."""
    match name:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU()
        case "silu":
            return nn.SiLU()
        case _:
            return DynamicReLU(width)
