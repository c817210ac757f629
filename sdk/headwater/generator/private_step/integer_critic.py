"""A critic in whole numbers, so that a record's gradient does not depend on the batch that it stands in."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, leaky_relu

from headwater.errors import InputError
from headwater.generator.private_step.coded_rows import CodedRows

__all__ = ["EXACT", "INPUT_SCALE", "LARGEST_ACTIVATION", "IntegerCritic", "Traces", "activation_scales"]

EXACT = 2**24
"""A float32 adds whole numbers up to this without an error, in every order."""

LARGEST_ACTIVATION = 127
"""In units; what is larger is cut."""

INPUT_SCALE = 8
"""Units for 1.0 of a row's vector: a score is cut at 16 standard deviations."""

# Of a gradient that goes through another product. What goes through none has its squares added in float64.
_LARGEST_INNER, _LARGEST_FIRST = 2**9, 2**20
# Weights are scaled to half of what is exact: rounding them adds a little.
_ROOM = EXACT // 2
_WIDEST = 4096
_WANTED_ACTIVATION = 2.0
_LARGEST_SCALE = 64
# Weights far below are zeros: their scale would leave float32.
_NOTHING = 1e-20
_NOT_FINITE = "a critic's weights are not finite; go back to an earlier round"

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight, shape (out, in), and bias, shape (out,), of each linear layer."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What a forward and a backward pass leave of each row.

    Attributes:
        inputs: of each layer, times its scale; whole numbers in float32, shape (rows, in); of the first layer the
            scores alone.
        slopes: of the opinion by what comes out of each layer, times its `slope_scales`; whole numbers in float32,
            shape (rows, out).
    """

    inputs: list[Tensor]
    slopes: list[Tensor]


class IntegerCritic:
    """Linear layers with leaky rectifiers between them, one number at the end, evaluated in whole numbers.

    A sum of float32 depends on its order, and a matrix product's order on how many rows it has. A record that joins a
    batch could so move other records' gradients in their last bits and, once rounded, by whole units. Here every sum
    is of whole numbers that float32 adds without an error, and everything else is done value by value.

    Guarantee: what a row leaves is a function of this row and the public network alone, whatever stands beside it.
    """

    def __init__(self, layers: Layers, codes: int, slope: float, scales: Sequence[int]) -> None:
        """Round the weights.

        Args:
            layers: at least two, the last with one output.
            codes: how many of the first layer's inputs are places of codes; the others are scores.
            slope: of the rectifiers below zero, 0 to 1.
            scales: units for 1.0 of what goes into each layer; public.

        Raises:
            InputError: the network is of another shape, holds what is not finite, or a scale is out of range.
        """
        _check(layers, codes, slope, scales)
        self.codes = codes
        self.scales = tuple(scales)
        self.shapes = tuple((weight.shape[0], weight.shape[1]) for weight, _ in layers)
        self._slope = slope
        self._weights, self._biases, self._steps, units = [], [], [], []
        for number, ((weight, bias), before, after) in enumerate(
            zip(layers[:-1], scales[:-1], scales[1:], strict=True)
        ):
            # No gradient goes back through the first layer.
            unit = _weight_unit(weight, bias, before, backwards=number > 0)
            units.append(unit)
            self._weights.append((weight * unit).round())
            self._biases.append((bias * (unit * before)).round())
            self._steps.append(after / (unit * before))
        first = self._weights[0][:, :codes].T * scales[0]
        # The last row is for a one that is not there.
        self._of_codes = torch.cat([first, torch.zeros(1, first.shape[1])])
        self._of_scores = self._weights[0][:, codes:].contiguous()
        self._exit, self._shrinks, self.slope_scales = self._backward(layers[-1][0][0], units)

    @property
    def parameters(self) -> int:
        """Numbers of its weights and biases."""
        return sum(out * (into + 1) for out, into in self.shapes)

    def _backward(self, exit_weights: Tensor, units: Sequence[float]) -> tuple[Tensor, list[float], tuple[float, ...]]:
        """The last layer's rounded weights, what each product is multiplied by, and the scale of each slope."""
        scale = _LARGEST_INNER / max(float(exit_weights.abs().max()), _NOTHING)
        exit_units = (exit_weights * scale).round()
        most, shrinks, scales = exit_units.abs(), [], [1.0, scale]
        for number in range(len(self._weights) - 1, 0, -1):
            # The largest that a product can be, whatever the row.
            bound = float((most @ self._weights[number].abs()).max())
            limit = _LARGEST_FIRST if number == 1 else _LARGEST_INNER
            shrinks.append(min(1.0, limit / bound) if bound > 0 else 1.0)
            scales.append(scales[-1] * units[number] * shrinks[-1])
            most = torch.full((self.shapes[number][1],), float(_LARGEST_INNER))
        return exit_units, shrinks, tuple(reversed(scales))

    def traces(self, rows: CodedRows) -> Traces:
        """Run the rows through the network and back.

        Args:
            rows: finite.

        Raises:
            InputError: products are set to less than float32's precision.
        """
        if torch.get_float32_matmul_precision() != "highest":
            raise InputError("torch's float32 products are of lower precision; leave it at 'highest' under privacy")
        inputs = [_cut(rows.scores * self.scales[0])]
        coded = embedding_bag(rows.places, self._of_codes, mode="sum").add_(self._biases[0])
        sums = [coded.addmm_(inputs[0], self._of_scores.T)]
        for weight, bias, step in zip(self._weights[1:], self._biases[1:], self._steps, strict=False):
            inputs.append(self._rectified(sums[-1], step))
            sums.append(torch.addmm(bias, inputs[-1], weight.T))
        inputs.append(self._rectified(sums[-1], self._steps[-1]))
        slopes = [torch.ones(len(rows), 1), self._through(self._exit.repeat(len(rows), 1), sums[-1])]
        for number, shrink in zip(range(len(self._weights) - 1, 0, -1), self._shrinks, strict=True):
            slopes.append(self._through((slopes[-1] @ self._weights[number]).mul_(shrink), sums[number - 1]))
        return Traces(inputs, slopes[::-1])

    def _rectified(self, sums: Tensor, step: float) -> Tensor:
        return _cut(leaky_relu(sums, self._slope).mul_(step))

    def _through(self, gradient: Tensor, sums: Tensor) -> Tensor:
        """Back through a rectifier, in whole numbers."""
        passed: Tensor = torch.ops.aten.leaky_relu_backward(gradient, sums, self._slope, False)
        return passed.round_()


def activation_scales(layers: Layers, slope: float, reference: CodedRows) -> tuple[int, ...]:
    """Units for 1.0 of what goes into each layer: powers of two that bring its root mean square near two units.

    Args:
        layers: of the network.
        slope: of its rectifiers below zero.
        reference: public rows, such as draws of a generator.
    """
    scales, hidden = [INPUT_SCALE], reference.vectors()
    for weight, bias in layers[:-1]:
        hidden = leaky_relu(torch.addmm(bias, hidden, weight.T), slope)
        level = float(hidden.square().mean().sqrt())
        wanted = _WANTED_ACTIVATION / level if level > 0 else 1.0
        scales.append(2 ** min(max(round(math.log2(wanted)), 0), int(math.log2(_LARGEST_SCALE))))
    return tuple(scales)


def _cut(values: Tensor) -> Tensor:
    """To whole numbers of at most the largest activation, in place."""
    return values.round_().clamp_(-LARGEST_ACTIVATION, LARGEST_ACTIVATION)


def _weight_unit(weight: Tensor, bias: Tensor, scale: int, *, backwards: bool) -> float:
    """Units for 1.0 of a layer's weights, such that every sum forwards and backwards is exact.

    Raises:
        InputError: the weights are not finite.
    """
    sizes = weight.abs()
    most = float((sizes.sum(dim=1) * LARGEST_ACTIVATION + bias.abs() * scale).max())
    if backwards:
        most = max(most, float(sizes.sum(dim=0).max()) * _LARGEST_INNER)
    if not math.isfinite(most):
        raise InputError(_NOT_FINITE)
    return _ROOM / max(most, _NOTHING)


def _check(layers: Layers, codes: int, slope: float, scales: Sequence[int]) -> None:
    shapes = [weight.shape for weight, _ in layers]
    fits = len(layers) >= 2 and all(len(shape) == 2 for shape in shapes) and shapes[-1][0] == 1
    fits = fits and all(before[0] == after[1] for before, after in itertools.pairwise(shapes))
    if not fits or any(bias.shape != weight.shape[:1] for weight, bias in layers):
        raise InputError("a critic under privacy is at least two linear layers that fit, and one number at the end")
    if max(max(shape) for shape in shapes) > _WIDEST:
        raise InputError(f"a critic's layer is wider than {_WIDEST}, its sums would not be exact; take a narrower one")
    if not all(bool(torch.isfinite(part).all()) for part in layers[-1]):
        raise InputError(_NOT_FINITE)
    if not 0 <= codes <= shapes[0][1]:
        raise InputError(f"a critic of {shapes[0][1]} inputs has no {codes} places of codes; compare it with the rows")
    if not 0 <= slope <= 1:
        raise InputError(f"a rectifier's slope is {slope}, expected 0 to 1")
    if len(scales) != len(layers) or any(
        type(scale) is not int or not 1 <= scale <= _LARGEST_SCALE for scale in scales
    ):
        raise InputError(f"a critic of {len(layers)} layers needs as many scales, whole numbers up to {_LARGEST_SCALE}")
