"""Train on synthetic, test on real: what a model learned from a table is worth on rows that nobody trained on."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.evaluation.judged import Rows, RowsReader, auc, frame_of, trees

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Usefulness"]


@dataclass(frozen=True)
class Usefulness:
    """Scores of the two models of tools/bench/quality.py, to the last digit.

    Tables are read as the judge reads their CSV: an Arrow table through its CSV text, a data frame as it is.

    Attributes:
        train: real training rows; they fix how columns are read, not what is learned.
        test: real rows that nobody trained on, with every class of `train`.
        target: the column to predict; its values are classes, numbers too.
    """

    train: Rows
    test: Rows
    target: str

    @cached_property
    def _reader(self) -> "RowsReader":
        return RowsReader(frame_of(self.train), self.target)

    @cached_property
    def _tested_on(self) -> "pd.DataFrame":
        return self._reader.align(frame_of(self.test))

    def check(self) -> None:
        """Refuse rows on which nothing can be scored, before anything is made to be scored.

        Raises:
            InputError: the target is no column, a column is missing, or the test rows do not hold every class.
        """
        classes = self._reader.levels[self.target]
        if set(self._tested_on[self.target]) != set(classes) or len(classes) < 2:
            raise InputError(
                f"the classes of {self.target!r} in the test rows are not the two or more of the training rows; "
                "score on a table with enough rows of each class"
            )

    def score(self, table: Rows) -> dict[str, float]:
        """Fit on `table`, test on the real test rows.

        Args:
            table: rows with the columns of `train`; cut to as many rows as `train` has, so that none wins by size.

        Returns:
            "gbm": ROC AUC of LightGBM, "lr": of logistic regression (several classes: one against the rest); both .5
            when the table holds one class only.

        Raises:
            InputError: the target is no column, a column is missing, or the test rows do not hold every class.
        """
        self.check()
        reader, tested_on = self._reader, self._tested_on
        classes = reader.levels[self.target]
        fitted_on = reader.align(frame_of(table)).iloc[: reader.rows]
        fitted_on = fitted_on[fitted_on[self.target].isin(classes)]
        if fitted_on[self.target].nunique() < 2:
            return {"gbm": 0.5, "lr": 0.5}
        with warnings.catch_warnings():
            # Logistic regression may stop before it converges; the judge takes what it has then.
            warnings.simplefilter("ignore")
            return {
                "gbm": auc(reader, trees(), fitted_on, tested_on, reader.tree_features),
                "lr": auc(reader, _linear(reader), fitted_on, tested_on, reader.linear_features),
            }


def _linear(reader: RowsReader) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    nominal = [c for c in reader.categorical if c != reader.target]
    encoder = OneHotEncoder(categories=[reader.levels[c] for c in nominal], handle_unknown="ignore")
    columns = [("numeric", StandardScaler(), reader.numeric), ("nominal", encoder, nominal)]
    return make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=300))
