"""The two networks: a residual generator with one softmax a head, and a critic of codes."""

import torch
from torch import Tensor, nn

from headwater.generator.spec import GeneratorSpec, Head

__all__ = ["Critic", "Generator", "flat_parameters", "load_flat"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}


class _Residual(nn.Module):
    """x + W2 · activation(W1 · LayerNorm x)."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.activation = _ACTIVATIONS[activation]()
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, width) to the same."""
        out: Tensor = x + self.second(self.activation(self.first(self.norm(x))))
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
        self.entry = nn.Linear(spec.latent, spec.width)
        self.blocks = nn.ModuleList(_Residual(spec.width, spec.activation) for _ in range(spec.blocks))
        self.norm = nn.LayerNorm(spec.width)
        self.activation = _ACTIVATIONS[spec.activation]()
        self.exit = nn.Linear(spec.width, sum(self.units))
        for number, head in enumerate(self.heads):
            if len(head.columns) > 1:
                self.register_buffer(f"incidence_{number}", _incidence(head, spec), persistent=False)

    def noise(self, batch: int, random: torch.Generator) -> Tensor:
        """Standard normal z, shape (batch, latent), drawn on the CPU so that every device sees the same."""
        return torch.randn(batch, self.latent, generator=random).to(self.exit.weight.device)

    def logits(self, z: Tensor) -> Tensor:
        """Shape (batch, units): the heads' logits side by side."""
        x = self.entry(z)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.exit(self.activation(self.norm(x)))
        return out

    def unit_probabilities(self, z: Tensor) -> Tensor:
        """Shape (batch, units): each head's part of a row sums to 1."""
        parts = torch.split(self.logits(z), self.units, dim=1)
        return torch.cat([part.softmax(dim=1) for part in parts], dim=1)

    def codes(self, units: Tensor) -> Tensor:
        """All columns' codes side by side from all heads' units: linear, so probabilities give probabilities.

        Args:
            units: shape (batch, units).

        Returns:
            Shape (batch, codes), in the order of the columns.
        """
        by_column: dict[int, Tensor] = {}
        for number, (head, part) in enumerate(zip(self.heads, torch.split(units, self.units, dim=1), strict=True)):
            if len(head.columns) == 1:
                by_column[head.columns[0]] = part
                continue
            # One matrix a head: its size is units × codes of this head, not of all.
            codes = part @ self.get_buffer(f"incidence_{number}")
            sizes = [self.spec.sizes[column] for column in head.columns]
            by_column |= dict(zip(head.columns, torch.split(codes, sizes, dim=1), strict=True))
        return torch.cat([by_column[column] for column in range(len(self.spec.sizes))], dim=1)

    def soft_draws(self, z: Tensor, temperature: float, random: torch.Generator) -> Tensor:
        """One drawn unit a head, hard forwards and soft backwards; returns column codes, shape (batch, codes).

        Source: straight-through Gumbel softmax, Jang et al. 2017 (arXiv:1611.01144).
        """
        logits = self.logits(z)
        uniform = torch.rand(logits.shape, generator=random).clamp_(1e-9, 1 - 1e-7).to(logits.device)
        noisy = (logits - torch.log(-torch.log(uniform))) / temperature
        parts = []
        for part in torch.split(noisy, self.units, dim=1):
            soft = part.softmax(dim=1)
            hard = torch.zeros_like(soft).scatter_(1, soft.argmax(dim=1, keepdim=True), 1.0)
            parts.append(hard - soft.detach() + soft)
        return self.codes(torch.cat(parts, dim=1))


class Critic(nn.Module):
    """Codes to one number: how real a row looks.

    Args:
        spec: the shape.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size = sum(spec.sizes)
        for _ in range(spec.critic_layers):
            layers += [nn.Linear(size, spec.critic_width), nn.LeakyReLU(0.2)]
            size = spec.critic_width
        self.layers = nn.Sequential(*layers, nn.Linear(size, 1))

    def forward(self, codes: Tensor) -> Tensor:
        """One-hot codes, shape (batch, codes), to shape (batch,)."""
        out: Tensor = self.layers(codes).squeeze(1)
        return out


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
