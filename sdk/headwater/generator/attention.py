"""A trunk in which every softmax has a token that attends to the others."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from headwater.generator.activations import activation_of

__all__ = ["AttentionBlock", "AttentionTrunk", "TokenExit"]

_WIDENING = 2


class AttentionBlock(nn.Module):
    """x + attention(LayerNorm x), then x + MLP(LayerNorm x).

    Args:
        width: of a token.
        attention_heads: parts of a token that attend on their own; divides `width`.
        activation: of the MLP, by name.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), with the norms before each part.
    """

    def __init__(self, width: int, attention_heads: int, activation: str) -> None:
        super().__init__()
        self.attention_heads = attention_heads
        self.norm = nn.LayerNorm(width)
        self.asks = nn.Linear(width, 3 * width)
        self.answers = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, _WIDENING * width)
        self.activation = activation_of(activation, _WIDENING * width)
        self.narrow = nn.Linear(_WIDENING * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, tokens, width) to the same."""
        parts = self.asks(self.norm(x)).reshape(*x.shape[:2], 3, self.attention_heads, -1)
        query, key, value = (part.transpose(1, 2) for part in parts.unbind(dim=2))
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + self.answers(mixed)
        out: Tensor = x + self.narrow(self.activation(self.widen(self.second_norm(x))))
        return out


class TokenExit(nn.Module):
    """Each token to the logits of its own softmax.

    Args:
        width: of a token.
        units: of each token's softmax, in order.
    """

    where: Tensor
    back: Tensor

    def __init__(self, width: int, units: Sequence[int]) -> None:
        super().__init__()
        total, widest = sum(units), max(units)
        self.shape = (len(units), widest)
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(total, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(total))
        token = torch.repeat_interleave(torch.arange(len(units)), torch.tensor(units))
        starts = torch.tensor([0, *units[:-1]]).cumsum(0)
        place = token * widest + torch.arange(total) - starts[token]
        # Weights are spread out to one matrix a token, all as wide as the widest: one product instead of one a token.
        where = torch.full((len(units) * widest,), total)
        where[place] = torch.arange(total)
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("back", place, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Shape (batch, tokens, width) to (batch, units)."""
        spread = torch.cat([self.weight, self.weight.new_zeros(1, self.weight.shape[1])])[self.where]
        logits = torch.einsum("btw,tuw->btu", tokens, spread.view(*self.shape, -1))
        return logits.flatten(1).index_select(1, self.back) + self.bias


class AttentionTrunk(nn.Module):
    """Noise to one token a softmax, then blocks of attention between them.

    Args:
        entry: values of noise and condition.
        tokens: how many softmaxes there are.
        width: of a token.
        blocks: of attention.
        attention_heads: of each block.
        activation: by name.
    """

    def __init__(self, entry: int, tokens: int, width: int, blocks: int, attention_heads: int, activation: str) -> None:
        super().__init__()
        self.tokens = tokens
        # A projection of its own for each token is what tells the tokens apart.
        self.entry = nn.Linear(entry, tokens * width)
        self.blocks = nn.ModuleList(AttentionBlock(width, attention_heads, activation) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, z: Tensor) -> Tensor:
        """Shape (batch, entry) to (batch, tokens, width)."""
        x = self.entry(z).reshape(len(z), self.tokens, -1)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out
