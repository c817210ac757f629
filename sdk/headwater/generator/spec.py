"""The shape of a generator: what goes in, how wide it is, and which softmax stands for which columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.groups import Group
from headwater.errors import InputError

__all__ = ["ACTIVATIONS", "GeneratorSpec", "Head"]

ACTIVATIONS = ("relu", "leaky_relu", "silu")
_MOST_UNITS = 1_000_000
# A super-column's incidence matrix has units × codes values, and a short document could ask for any size.
_MOST_INCIDENCE = 2**28


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One softmax.

    Attributes:
        columns: the columns it decides, ascending.
        combinations: int32, shape (units, len(columns)): the codes that each unit stands for.
    """

    columns: tuple[int, ...]
    combinations: NDArray[np.int32]

    @property
    def units(self) -> int:
        """Outcomes of the softmax."""
        return len(self.combinations)


@dataclass(frozen=True, eq=False)
class GeneratorSpec:
    """Everything that fixes the shape of generator and critic.

    Attributes:
        sizes: number of codes of each column.
        groups: super-columns; a column in none has a softmax of its own.
        label: index of the target column, or None.
        latent: dimensions of the noise z.
        width: of the residual blocks.
        blocks: how many.
        activation: one of `ACTIVATIONS`.
        critic_width: of the critic's layers.
        critic_layers: how many.

    Raises:
        InputError: a group is not a group of these columns, or a size is unusable.
    """

    sizes: tuple[int, ...]
    groups: tuple[Group, ...] = ()
    label: int | None = None
    latent: int = 64
    width: int = 256
    blocks: int = 2
    activation: str = "silu"
    critic_width: int = 256
    critic_layers: int = 3

    def __post_init__(self) -> None:
        """Check everything once."""
        if not self.sizes or min(self.sizes) < 1 or sum(self.sizes) > _MOST_UNITS:
            raise InputError("a generator needs columns of at least one code each, at most a million codes in all")
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation {self.activation!r} is none of {', '.join(ACTIVATIONS)}")
        if self.label is not None and not 0 <= self.label < len(self.sizes):
            raise InputError(f"label {self.label} is no column of {len(self.sizes)}")
        if not (0 < self.latent <= 4096 and 0 < self.width <= 8192 and 0 <= self.blocks <= 32):
            raise InputError("latent, width or blocks of the generator are out of range")
        if not (0 < self.critic_width <= 8192 and 0 < self.critic_layers <= 32):
            raise InputError("width or layers of the critic are out of range")
        taken: set[int] = set()
        for group in self.groups:
            _check_group(group, self.sizes, taken)

    @property
    def heads(self) -> tuple[Head, ...]:
        """Every softmax, ordered by its first column."""
        grouped = {column for group in self.groups for column in group.columns}
        heads = [Head(group.columns, group.combinations) for group in self.groups]
        heads += [
            Head((column,), np.arange(size, dtype=np.int32)[:, None])
            for column, size in enumerate(self.sizes)
            if column not in grouped
        ]
        return tuple(sorted(heads, key=lambda head: head.columns))

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each column's codes start when all columns' codes stand side by side; the total at the end."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @property
    def generator_parameters(self) -> int:
        """Weights of a generator of this shape, counted without building it."""
        width, units = self.width, sum(head.units for head in self.heads)
        block = 2 * (width * width + width) + 2 * width
        return (self.latent + 1) * width + self.blocks * block + 2 * width + (width + 1) * units

    @property
    def critic_parameters(self) -> int:
        """Weights of a critic of this shape, counted without building it."""
        width = self.critic_width
        return (sum(self.sizes) + 1) * width + (self.critic_layers - 1) * (width + 1) * width + width + 1

    def to_document(self) -> dict[str, object]:
        """JSON values; `from_document` reads them back."""
        return {
            "sizes": list(self.sizes),
            "groups": [
                {"columns": list(group.columns), "combinations": group.combinations.tolist()} for group in self.groups
            ],
            "label": self.label,
            "latent": self.latent,
            "width": self.width,
            "blocks": self.blocks,
            "activation": self.activation,
            "critic_width": self.critic_width,
            "critic_layers": self.critic_layers,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "GeneratorSpec":
        """Read a spec.

        Raises:
            InputError: a key is missing, unknown or of the wrong form.
        """
        try:
            fields = dict(document)
            groups = tuple(_read_group(group["columns"], group["combinations"]) for group in fields.pop("groups"))
            sizes = tuple(_whole(size) for size in fields.pop("sizes"))
            label, activation = fields.pop("label"), fields.pop("activation")
            return cls(
                sizes=sizes,
                groups=groups,
                label=None if label is None else _whole(label),
                activation=activation,
                **{name: _whole(value) for name, value in fields.items()},
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("the generator's description is not of this version's form; fetch it again") from error


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a number of the description is not whole")
    return value


def _read_group(columns: Sequence[object], combinations: object) -> Group:
    codes = np.asarray(combinations)
    if codes.dtype.kind != "i" or codes.min(initial=0) < 0 or codes.max(initial=0) > _MOST_UNITS:
        raise ValueError("a combination is not of codes")
    return Group(tuple(_whole(column) for column in columns), codes.astype(np.int32).reshape(-1, len(columns)))


def _check_group(group: Group, sizes: Sequence[int], taken: set[int]) -> None:
    columns = group.columns
    if len(columns) < 2 or list(columns) != sorted(set(columns)) or columns[0] < 0 or columns[-1] >= len(sizes):
        raise InputError("a super-column needs two or more different columns in ascending order")
    if taken & set(columns):
        raise InputError("a column stands in two super-columns")
    taken.update(columns)
    codes = group.combinations
    if codes.ndim != 2 or codes.shape[1] != len(columns) or not len(codes):
        raise InputError("a super-column needs at least one combination of its columns' codes")
    if len(codes) * sum(sizes[column] for column in columns) > _MOST_INCIDENCE:
        raise InputError("a super-column has too many combinations of too many codes; take fewer columns together")
    if codes.min() < 0 or (codes.max(axis=0) >= np.asarray([sizes[column] for column in columns])).any():
        raise InputError("a combination of a super-column holds a code outside its column's range")
