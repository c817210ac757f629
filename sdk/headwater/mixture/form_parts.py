"""A form as a short JSON document with arrays beside it, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.canonical import canonical_json, sha256_hex
from headwater.encoding.groups import Group
from headwater.errors import InputError
from headwater.mixture.form import MOST_CELLS, Form
from headwater.mixture.scores import ScoreColumn

__all__ = ["FORM_ARRAYS", "form_digest", "form_parts", "read_form"]

Array = NDArray[Any]

FORM_ARRAYS: Mapping[str, np.dtype[Any]] = {
    "combinations": np.dtype("<i4"),
    "knots": np.dtype("<i8"),
    "knot_shares": np.dtype("<f8"),
}
"""The arrays of a form, each of one dimension: what all its groups and score columns hold, one after the other."""


def form_parts(form: Form) -> tuple[dict[str, object], dict[str, Array]]:
    """The document and the arrays; equal forms give equal parts."""
    document: dict[str, object] = {
        "sizes": list(form.sizes),
        "label": form.label,
        "groups": [{"columns": list(group.columns), "count": len(group.combinations)} for group in form.groups],
        "scores": [
            {"column": score.column, "states": list(score.states), "knots": len(score.knots)} for score in form.scores
        ],
    }
    arrays: dict[str, list[Array]] = {
        "combinations": [group.combinations.reshape(-1) for group in form.groups],
        "knots": [score.knots for score in form.scores],
        "knot_shares": [score.shares for score in form.scores],
    }
    return document, {
        name: np.concatenate([np.zeros(0, kind), *arrays[name]]).astype(kind) for name, kind in FORM_ARRAYS.items()
    }


def form_digest(form: Form) -> str:
    """SHA-256 of a form."""
    document, arrays = form_parts(form)
    return sha256_hex(canonical_json(document) + b"".join(arrays[name].tobytes() for name in FORM_ARRAYS))


def read_form(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Form:
    """A form from its parts.

    Args:
        document: as `form_parts` makes it; may come from a peer.
        arrays: each of the type and dimension of `FORM_ARRAYS`.

    Raises:
        InputError: a part is missing or not of this form, or document and arrays do not belong together.
    """
    try:
        if any(arrays[name].dtype != kind or arrays[name].ndim != 1 for name, kind in FORM_ARRAYS.items()):
            raise TypeError("an array is of another type")
        label = document["label"]
        combinations = _Reader(arrays["combinations"])
        groups = []
        for entry in document["groups"]:
            columns = tuple(_whole(column) for column in entry["columns"])
            codes = combinations.take(_whole(entry["count"]) * len(columns))
            groups.append(Group(columns, codes.reshape(-1, max(1, len(columns)))))
        knots, shares = _Reader(arrays["knots"]), _Reader(arrays["knot_shares"])
        scores = []
        for entry in document["scores"]:
            count, states = _whole(entry["knots"]), tuple(_whole(state) for state in entry["states"])
            scores.append(ScoreColumn(_whole(entry["column"]), knots.take(count), shares.take(count), states))
        if not (combinations.done and knots.done and shares.done):
            raise ValueError("an array holds more than the document names")
        sizes = tuple(_whole(size, 1) for size in document["sizes"])
        return Form(sizes, None if label is None else _whole(label), tuple(groups), tuple(scores))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError("the mixture's description is not of this version's form; fetch it again") from error


class _Reader:
    """Takes an array apart from its front."""

    def __init__(self, values: Array) -> None:
        self._values = values
        self._place = 0

    @property
    def done(self) -> bool:
        return self._place == len(self._values)

    def take(self, count: int) -> Array:
        part = self._values[self._place : self._place + count]
        if len(part) != count:
            raise ValueError("an array ends too early")
        self._place += count
        return part


def _whole(value: object, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= MOST_CELLS:
        raise TypeError("a number of the mixture's description is not whole, or out of range")
    return value
