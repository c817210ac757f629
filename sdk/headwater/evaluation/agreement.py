"""Whether a classifier says the same of two views of a row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.judged import Rows, RowsReader, frame_of, trees

__all__ = ["AGREEING", "LabelAgreement", "widest_agreeing"]

AGREEING = 0.95
"""Views whose labels agree in this share of pairs are views of one thing."""


@dataclass(frozen=True)
class LabelAgreement:
    """LightGBM fitted on independent rows, asked about pairs.

    Attributes:
        train: rows to learn the label from: of the same generator, not among the pairs.
        target: the label's column.
    """

    train: Rows
    target: str

    @cached_property
    def _reader(self) -> RowsReader:
        return RowsReader(frame_of(self.train), self.target)

    @cached_property
    def _model(self) -> Any:
        frame = self._reader.align(frame_of(self.train))
        return trees().fit(self._reader.tree_features(frame), self._reader.codes(self.target, frame[self.target]))

    def of(self, anchors: Rows, views: Rows) -> float:
        """Share of pairs whose rows get the same label from their other columns, 0 to 1.

        Args:
            anchors: one row of each pair.
            views: the other, in the same order.

        Raises:
            InputError: a column is missing.
        """
        return float(np.mean(self._labels(anchors) == self._labels(views)))

    def _labels(self, rows: Rows) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = self._model.predict(self._reader.tree_features(self._reader.align(frame_of(rows))))
        return labels


def widest_agreeing(agreement: dict[float, float], least: float = AGREEING) -> float | None:
    """The largest standard deviation up to which all measured ones agree; None where the smallest does not.

    Args:
        agreement: share of agreeing pairs by standard deviation.
        least: share that counts as agreeing.
    """
    widest = None
    for view_std in sorted(agreement):
        if agreement[view_std] < least:
            break
        widest = view_std
    return widest
