"""The shape of a generator: what goes in, how wide it is, and which softmax stands for which columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.groups import Group, check_group
from headwater.errors import InputError
from headwater.recipe.shapes import CriticShape, GeneratorShape

__all__ = ["ACTIVATIONS", "CONDITIONS", "KINDS", "GeneratorSpec", "Head"]

ACTIVATIONS = ("relu", "leaky_relu", "silu", "dynamic_relu")
KINDS = ("residual", "attention")
CONDITIONS = ("none", "label", "column")
_MOST_UNITS = 1_000_000
# Super-columns' incidence matrices have units × codes values, and a short document could ask for any size.
_MOST_INCIDENCE = 2**28
# So has what attention spreads its output weights to: softmaxes × units of the widest × width.
_MOST_SPREAD = 2**28
_MOST_HEADS = 1024


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
        width: of the residual blocks, or of the tokens of attention.
        blocks: how many.
        activation: one of `ACTIVATIONS`.
        critic_width: of the critic's layers.
        critic_layers: how many.
        kind: one of `KINDS`.
        attention_heads: parts of a token that attend on their own.
        condition: one of `CONDITIONS`: whether a row's label, or its label and one more of its codes, goes in.
        shares: float32, shape (classes, codes): by class of the label, the shares of every column's codes, with the
            classes' own shares where the label stands. Conditions are drawn from it. None without a condition.
        packing: rows that the critic judges together.

    Raises:
        InputError: a group is not a group of these columns, or a size is unusable, or they ask for too much memory.
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
    kind: str = "residual"
    attention_heads: int = 4
    condition: str = "none"
    shares: NDArray[np.float32] | None = None
    packing: int = 1

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
        if not (0 < self.critic_width <= 8192 and 0 < self.critic_layers <= 32 and 0 < self.packing <= 64):
            raise InputError("width, layers or packing of the critic are out of range")
        if self.kind not in KINDS or self.condition not in CONDITIONS:
            raise InputError(f"the generator's kind is one of {', '.join(KINDS)}, its condition of {CONDITIONS}")
        if not 0 < self.attention_heads <= _MOST_HEADS:
            raise InputError(f"a token has 1 to {_MOST_HEADS} parts that attend, not {self.attention_heads}")
        if self.kind == "attention" and self.width % self.attention_heads:
            raise InputError(f"a token of width {self.width} has no {self.attention_heads} equal parts to attend with")
        self._check_shares()
        taken: set[int] = set()
        for group in self.groups:
            _check_group(group, self.sizes, taken)
        self._check_memory()

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
    def condition_width(self) -> int:
        """Values of the condition that go in beside the noise: the label's codes, or all columns'."""
        if self.condition == "none":
            return 0
        return self.sizes[self.label] if self.condition == "label" and self.label is not None else sum(self.sizes)

    @property
    def generator_parameters(self) -> int:
        """Weights of a generator of this shape, counted without building it."""
        heads = self.heads
        shape = GeneratorShape(
            kind=self.kind,
            entry=self.latent + self.condition_width,
            width=self.width,
            blocks=self.blocks,
            activation=self.activation,
            heads=len(heads),
            units=sum(head.units for head in heads),
        )
        return shape.weights

    @property
    def critic_parameters(self) -> int:
        """Weights of a critic of this shape, counted without building it."""
        return CriticShape(sum(self.sizes), self.packing, self.critic_width, self.critic_layers).weights

    def _check_memory(self) -> None:
        incidence = sum(
            len(group.combinations) * sum(self.sizes[column] for column in group.columns) for group in self.groups
        )
        if incidence > _MOST_INCIDENCE:
            raise InputError("super-columns have too many combinations of too many codes; take fewer columns together")
        units = [head.units for head in self.heads]
        if self.kind == "attention" and len(units) * max(units) * self.width > _MOST_SPREAD:
            raise InputError(
                "a token of each softmax, as wide as the widest, takes too much memory; say kind residual, or lower "
                "recipe.encoding.category_limit"
            )

    def _check_shares(self) -> None:
        if self.condition == "none":
            if self.shares is not None:
                raise InputError("a generator without a condition needs no shares to draw one from")
            return
        if self.label is None:
            raise InputError("a condition needs a label; mark a target in the schema, or say condition none")
        shares, expected = self.shares, (self.sizes[self.label], sum(self.sizes))
        if shares is None or shares.shape != expected or not (shares >= 0).all() or not (shares <= 1 + 1e-3).all():
            raise InputError(f"the shares that conditions are drawn from are not {expected[0]} × {expected[1]} shares")

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
            "kind": self.kind,
            "attention_heads": self.attention_heads,
            "condition": self.condition,
            "shares": None if self.shares is None else self.shares.astype(np.float64).tolist(),
            "packing": self.packing,
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
            label, shares = fields.pop("label"), fields.pop("shares", None)
            # A description of an earlier release names neither kind nor condition.
            words: dict[str, Any] = {
                name: fields.pop(name) for name in ("activation", "kind", "condition") if name in fields
            }
            numbers: dict[str, Any] = {name: _whole(value) for name, value in fields.items()}
            return cls(
                sizes=sizes,
                groups=groups,
                label=None if label is None else _whole(label),
                shares=None if shares is None else _read_shares(shares),
                **words,
                **numbers,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("the generator's description is not of this version's form; fetch it again") from error


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a number of the description is not whole")
    return value


def _read_shares(shares: object) -> NDArray[np.float32]:
    # What float32 cannot hold becomes infinite, which is no share.
    with np.errstate(over="ignore"):
        return np.asarray(shares, np.float32)


def _read_group(columns: Sequence[object], combinations: object) -> Group:
    codes = np.asarray(combinations)
    if codes.dtype.kind != "i" or codes.min(initial=0) < 0 or codes.max(initial=0) > _MOST_UNITS:
        raise ValueError("a combination is not of codes")
    return Group(tuple(_whole(column) for column in columns), codes.astype(np.int32).reshape(-1, len(columns)))


def _check_group(group: Group, sizes: Sequence[int], taken: set[int]) -> None:
    check_group(group, sizes)
    if taken & set(group.columns):
        raise InputError("a column stands in two super-columns")
    taken.update(group.columns)
