"""How many weights generator and critic of a shape have, counted without building them."""

from dataclasses import dataclass

__all__ = ["CriticShape", "GeneratorShape", "activation_weights"]

_HIDDEN_SHARE = 8
_LINES = 4
_WIDENING = 2


def activation_weights(name: str, width: int) -> int:
    """Weights of the activation `name` behind a layer of `width` units; only "dynamic_relu" has any."""
    if name != "dynamic_relu":
        return 0
    hidden = max(1, width // _HIDDEN_SHARE)
    return _linear(width, hidden) + _linear(hidden, _LINES * width)


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """What the number of a generator's weights depends on.

    Attributes:
        kind: "residual" or "attention".
        entry: values of noise and condition together.
        width: of a residual block, or of a token.
        blocks: how many.
        activation: by name.
        heads: number of softmaxes.
        units: of all softmaxes together.
    """

    kind: str
    entry: int
    width: int
    blocks: int
    activation: str
    heads: int
    units: int

    @property
    def weights(self) -> int:
        """All of them."""
        width, ends = self.width, 2 * self.width + _linear(self.width, self.units)
        if self.kind == "attention":
            wide = _WIDENING * width
            block = 4 * width + _linear(width, 3 * width) + _linear(width, width)
            block += _linear(width, wide) + activation_weights(self.activation, wide) + _linear(wide, width)
            return _linear(self.entry, self.heads * width) + self.blocks * block + ends
        active = activation_weights(self.activation, width)
        block = 2 * width + 2 * _linear(width, width) + active
        return _linear(self.entry, width) + self.blocks * block + active + ends


@dataclass(frozen=True, slots=True)
class CriticShape:
    """What the number of a critic's weights depends on.

    Attributes:
        codes: of all columns together.
        packing: rows that are judged together.
        width: of its layers.
        layers: how many.
    """

    codes: int
    packing: int
    width: int
    layers: int

    @property
    def weights(self) -> int:
        """All of them."""
        first = _linear(self.codes * self.packing, self.width)
        return first + (self.layers - 1) * _linear(self.width, self.width) + _linear(self.width, 1)


def _linear(values: int, units: int) -> int:
    return (values + 1) * units
