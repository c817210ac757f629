"""The two networks: a generator with one softmax a head, and a critic of codes."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from headwater.generator.activations import activation_of
from headwater.generator.attention import AttentionTrunk, TokenExit
from headwater.generator.conditions import Conditions, Wish
from headwater.generator.spec import GeneratorSpec, Head

__all__ = ["Critic", "Generator", "flat_parameters", "load_flat"]


class _Residual(nn.Module):
    """x + W2 · activation(W1 · LayerNorm x)."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.activation = activation_of(activation, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, width) to the same."""
        out: Tensor = x + self.second(self.activation(self.first(self.norm(x))))
        return out


class _ResidualTrunk(nn.Module):
    """Noise to one vector a row, through residual blocks."""

    def __init__(self, spec: GeneratorSpec, entry: int) -> None:
        super().__init__()
        self.entry = nn.Linear(entry, spec.width)
        self.blocks = nn.ModuleList(_Residual(spec.width, spec.activation) for _ in range(spec.blocks))
        self.norm = nn.LayerNorm(spec.width)
        self.activation = activation_of(spec.activation, spec.width)

    def forward(self, z: Tensor) -> Tensor:
        """Shape (batch, entry) to (batch, width)."""
        x = self.entry(z)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.activation(self.norm(x))
        return out


class Generator(nn.Module):
    """Noise to probabilities.

    No batch normalisation: its running statistics are a proxy of an organisation's label frequencies, and they do
    not average.

    Args:
        spec: the shape.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.spec = spec
        self.heads = spec.heads
        self.units = [head.units for head in self.heads]
        self.latent = spec.latent
        # Neighbours of one size share a call: a wide table has hundreds of heads and few sizes.
        self._runs = [(units, len(list(run))) for units, run in itertools.groupby(self.units)]
        entry = spec.latent + spec.condition_width
        self.trunk: nn.Module
        self.exit: nn.Linear | TokenExit
        if spec.kind == "attention":
            self.trunk = AttentionTrunk(
                entry, len(self.heads), spec.width, spec.blocks, spec.attention_heads, spec.activation
            )
            self.exit = TokenExit(spec.width, self.units)
        else:
            self.trunk = _ResidualTrunk(spec, entry)
            self.exit = nn.Linear(spec.width, sum(self.units))
        self._conditions: Conditions | None = None
        self._code_parts = _code_parts(self.heads)
        for number, head in enumerate(self.heads):
            if len(head.columns) > 1:
                self.register_buffer(f"incidence_{number}", _incidence(head, spec), persistent=False)
                combinations = torch.from_numpy(head.combinations.astype("int64"))
                self.register_buffer(f"combinations_{number}", combinations, persistent=False)

    @property
    def conditions(self) -> Conditions | None:
        """Where wishes come from, None for a generator without a condition."""
        if self._conditions is None and self.spec.condition != "none":
            self._conditions = Conditions(self.spec, self.exit.weight.device)
        return self._conditions

    def noise(
        self, batch: int, random: torch.Generator, *, wish: Wish | None = None, label: int | None = None
    ) -> Tensor:
        """Standard normal z, drawn on the CPU so that every device sees the same, and the condition beside it.

        Args:
            batch: rows.
            random: where chance comes from.
            wish: the condition; None draws one with the shares of all rows.
            label: code of the label that is wished for where `wish` is None; None draws it too.

        Returns:
            Shape (batch, latent + condition width).
        """
        z = torch.randn(batch, self.latent, generator=random).to(self.exit.weight.device)
        if (conditions := self.conditions) is None:
            return z
        if wish is None:
            wish = conditions.draw(batch, random, label)
        return torch.cat([z, conditions.written(wish)], dim=1)

    def logits(self, z: Tensor) -> Tensor:
        """Shape (batch, units): the heads' logits side by side."""
        out: Tensor = self.exit(self.trunk(z))
        # Under autocast the products are of half precision; sums of probabilities want all of it.
        return out.float()

    def unit_probabilities(self, z: Tensor) -> Tensor:
        """Shape (batch, units): each head's part of a row sums to 1."""
        return self.softmax(self.logits(z))

    def softmax(self, logits: Tensor) -> Tensor:
        """Each head's part of a row on its own, shape (batch, units) to the same."""
        softened = [
            part.reshape(len(part), heads, units).softmax(dim=2).flatten(1)
            for part, (units, heads) in self.runs(logits)
        ]
        return torch.cat(softened, dim=1)

    def codes(self, units: Tensor) -> Tensor:
        """All columns' codes side by side from all heads' units: linear, so probabilities give probabilities.

        Args:
            units: shape (batch, units).

        Returns:
            Shape (batch, codes), in the order of the columns.
        """
        by_column: dict[int, Tensor] = {}
        parts = torch.split(units, [width for _, width, _ in self._code_parts], dim=1)
        for (first, _, number), part in zip(self._code_parts, parts, strict=True):
            if number is None:
                by_column[first] = part
                continue
            # One matrix a head: its size is units × codes of this head, not of all.
            codes = part @ self.get_buffer(f"incidence_{number}")
            columns = self.heads[number].columns
            sizes = [self.spec.sizes[column] for column in columns]
            by_column |= dict(zip(columns, torch.split(codes, sizes, dim=1), strict=True))
        return torch.cat([by_column[column] for column in sorted(by_column)], dim=1)

    def soft_draws(self, z: Tensor, temperature: float, random: torch.Generator) -> Tensor:
        """One drawn unit a head, hard forwards and soft backwards; returns column codes, shape (batch, codes)."""
        return self.codes(self.drawn_units(self.logits(z), temperature, random))

    def drawn_units(self, logits: Tensor, temperature: float, random: torch.Generator) -> Tensor:
        """One drawn unit a head, hard forwards and soft backwards, shape (batch, units) to the same.

        Source: straight-through Gumbel softmax, Jang et al. 2017 (arXiv:1611.01144).
        """
        uniform = torch.rand(logits.shape, generator=random).clamp_(1e-9, 1 - 1e-7).to(logits.device)
        soft = self.softmax((logits - torch.log(-torch.log(uniform))) / temperature)
        with torch.no_grad():
            hard = torch.cat([_one_hot(part, *run) for part, run in self.runs(soft)], dim=1)
            hard -= soft
        return hard + soft

    def drawn_codes(self, drawn: Tensor) -> Tensor:
        """Codes that drawn units stand for.

        Args:
            drawn: int64, shape (batch, heads): a unit of each head.

        Returns:
            int64, shape (batch, columns).
        """
        codes = torch.empty(len(drawn), len(self.spec.sizes), dtype=torch.int64, device=drawn.device)
        # A column alone has its code by its unit's number.
        alone = [number for number, head in enumerate(self.heads) if len(head.columns) == 1]
        codes[:, [self.heads[number].columns[0] for number in alone]] = drawn[:, alone]
        for number, head in enumerate(self.heads):
            if len(head.columns) > 1:
                codes[:, list(head.columns)] = self.get_buffer(f"combinations_{number}")[drawn[:, number]]
        return codes

    def runs(self, units: Tensor) -> list[tuple[Tensor, tuple[int, int]]]:
        """Neighbouring heads of one size in one part: its units, shape (batch, heads × size), with size and heads."""
        parts = torch.split(units, [width * heads for width, heads in self._runs], dim=1)
        return list(zip(parts, self._runs, strict=True))


class Critic(nn.Module):
    """Codes to one number: how real a row looks, or a pack of rows.

    Args:
        spec: the shape.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.packing = spec.packing
        layers: list[nn.Module] = []
        size = sum(spec.sizes) * spec.packing
        for _ in range(spec.critic_layers):
            layers += [nn.Linear(size, spec.critic_width), nn.LeakyReLU(0.2)]
            size = spec.critic_width
        self.layers = nn.Sequential(*layers, nn.Linear(size, 1))

    def features(self, codes: Tensor) -> Tensor:
        """Codes, shape (batch, codes), to the last hidden layer, shape (batch / packing, width).

        Neighbouring rows of a batch are judged together.

        Source: packing, Lin et al. 2018 (arXiv:1712.04086). Never under differential privacy per row: it mixes rows.
        """
        packed = codes.reshape(len(codes) // self.packing, -1) if self.packing > 1 else codes
        out: Tensor = self.layers[:-1](packed)
        return out

    def forward(self, codes: Tensor) -> Tensor:
        """One-hot codes, shape (batch, codes), to shape (batch / packing,)."""
        return self.score(self.features(codes))

    def score(self, features: Tensor) -> Tensor:
        """From `features` to shape (batch / packing,)."""
        out: Tensor = self.layers[-1](features).squeeze(1)
        return out.float()


def _one_hot(part: Tensor, width: int, heads: int) -> Tensor:
    most = part.reshape(len(part), heads, width).argmax(dim=2, keepdim=True)
    return torch.zeros(len(part), heads, width, device=part.device).scatter_(2, most, 1.0).flatten(1)


def _code_parts(heads: Sequence[Head]) -> list[tuple[int, int, int | None]]:
    """Units side by side in as few parts as can be: first column, units, and the number of a super-column's head.

    Neighbouring columns alone are one part, since their units are their codes: a wide table has hundreds of them.
    """
    parts: list[tuple[int, int, int | None]] = []
    after = -1
    for number, head in enumerate(heads):
        column = head.columns[0]
        if len(head.columns) > 1:
            parts.append((column, head.units, number))
        elif column == after:
            first, width, _ = parts[-1]
            parts[-1] = (first, width + head.units, None)
        else:
            parts.append((column, head.units, None))
        after = column + 1 if len(head.columns) == 1 else -1
    return parts


def _incidence(head: Head, spec: GeneratorSpec) -> Tensor:
    """0/1, shape (units, codes of the head's columns): which codes a unit stands for."""
    sizes = [spec.sizes[column] for column in head.columns]
    matrix = torch.zeros(head.units, sum(sizes))
    start = 0
    for place, size in enumerate(sizes):
        codes = torch.from_numpy(head.combinations[:, place].astype("int64"))
        matrix[torch.arange(head.units), start + codes] = 1.0
        start += size
    return matrix


def flat_parameters(module: nn.Module) -> Tensor:
    """All parameters in order of definition as one float32 vector on the CPU, detached."""
    return torch.cat([parameter.detach().reshape(-1).cpu() for parameter in module.parameters()])


def load_flat(module: nn.Module, vector: Tensor) -> None:
    """Set all parameters from one vector in the order of `flat_parameters`."""
    start = 0
    with torch.no_grad():
        for parameter in module.parameters():
            size = parameter.numel()
            parameter.copy_(vector[start : start + size].view_as(parameter))
            start += size
