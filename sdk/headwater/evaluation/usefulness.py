"""Train on synthetic, test on real: what a model learned from a table is worth on rows that nobody trained on."""

import io
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.table import Table
from headwater.schema.writing import write_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Usefulness", "score"]

Rows = Union[Table, pa.Table, "pd.DataFrame"]


def score(train: Rows, test: Rows, target: str, reference_train: Rows) -> dict[str, float]:
    """Fit the judge's two models on `train`, test them on real rows; `Usefulness` where several tables are scored.

    Args:
        train: the table to be judged.
        test: real rows that nobody trained on.
        target: the column to predict.
        reference_train: real training rows; they fix how columns are read and how many rows of `train` count.

    Returns:
        "gbm" and "lr", ROC AUC, as `Usefulness.score`.

    Raises:
        InputError: as `Usefulness.score`.
    """
    return Usefulness(reference_train, test, target).score(train)


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
    def _reader(self) -> "_Reader":
        return _Reader(_frame(self.train), self.target)

    @cached_property
    def _tested_on(self) -> "pd.DataFrame":
        return self._reader.align(_frame(self.test))

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
        reader, tested_on = self._reader, self._tested_on
        classes = reader.levels[self.target]
        if set(tested_on[self.target]) != set(classes) or len(classes) < 2:
            raise InputError(
                f"the classes of {self.target!r} in the test rows are not the two or more of the training rows; "
                "score on a table with enough rows of each class"
            )
        fitted_on = reader.align(_frame(table)).iloc[: reader.rows]
        fitted_on = fitted_on[fitted_on[self.target].isin(classes)]
        if fitted_on[self.target].nunique() < 2:
            return {"gbm": 0.5, "lr": 0.5}
        with warnings.catch_warnings():
            # Logistic regression may stop before it converges; the judge takes what it has then.
            warnings.simplefilter("ignore")
            return {
                "gbm": _auc(reader, _trees(), fitted_on, tested_on, reader.tree_features),
                "lr": _auc(reader, _linear(reader), fitted_on, tested_on, reader.linear_features),
            }


def _frame(table: Rows) -> "pd.DataFrame":
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    text = io.BytesIO()
    write_csv(table, text)
    text.seek(0)
    return pd.read_csv(text, keep_default_na=False, na_values=[""])


class _Reader:
    """How any table is read like the training rows."""

    def __init__(self, train: "pd.DataFrame", target: str) -> None:
        import pandas as pd

        if target not in train:
            raise InputError(f"there is no column {target!r} to predict; name one of the training rows' columns")
        self.target = target
        self.rows = len(train)
        self.columns = list(train.columns)
        self.numeric = [c for c in self.columns if c != target and pd.api.types.is_numeric_dtype(train[c])]
        self.categorical = [c for c in self.columns if c not in self.numeric]
        self.medians = train[self.numeric].median()
        self.levels = {c: sorted(_texts(train[c]).unique()) for c in self.categorical}

    def align(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        if missing := [c for c in self.columns if c not in frame]:
            raise InputError(f"the table lacks the column {missing[0]!r}; it needs all columns of the training rows")
        frame = frame[self.columns].copy()
        for c in self.numeric:
            frame[c] = pd.to_numeric(frame[c], errors="coerce").astype(float).fillna(self.medians[c])
        for c in self.categorical:
            frame[c] = _texts(frame[c])
        return frame

    def codes(self, column: str, values: "pd.Series[str]") -> NDArray[np.int64]:
        lookup = {level: i for i, level in enumerate(self.levels[column])}
        codes: NDArray[np.int64] = values.map(lookup).fillna(len(lookup)).astype(int).to_numpy()
        return codes

    def tree_features(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        features = frame[[c for c in self.columns if c != self.target]].copy()
        for c in self.categorical:
            if c != self.target:
                features[c] = pd.Categorical(self.codes(c, features[c]), categories=range(len(self.levels[c]) + 1))
        return features

    def linear_features(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        return frame.drop(columns=[self.target])


def _texts(values: "pd.Series[Any]") -> "pd.Series[str]":
    # Missing is a level of its own; astype alone has written it as text, or kept it, from one pandas to the next.
    return values.astype(str).fillna("nan")


def _trees() -> Any:
    import lightgbm

    return lightgbm.LGBMClassifier(
        n_estimators=100, num_leaves=31, random_state=0, deterministic=True, force_row_wise=True, n_jobs=2, verbose=-1
    )


def _linear(reader: _Reader) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    nominal = [c for c in reader.categorical if c != reader.target]
    encoder = OneHotEncoder(categories=[reader.levels[c] for c in nominal], handle_unknown="ignore")
    columns = [("numeric", StandardScaler(), reader.numeric), ("nominal", encoder, nominal)]
    return make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=300))


def _auc(reader: _Reader, model: Any, fitted_on: "pd.DataFrame", tested_on: "pd.DataFrame", features: Any) -> float:
    from sklearn.metrics import roc_auc_score

    classes = reader.levels[reader.target]
    truth = reader.codes(reader.target, tested_on[reader.target])
    scores = np.zeros((len(tested_on), len(classes)))
    model.fit(features(fitted_on), reader.codes(reader.target, fitted_on[reader.target]))
    scores[:, model.classes_] = model.predict_proba(features(tested_on))
    if len(classes) == 2:
        return float(roc_auc_score(truth, scores[:, 1]))
    return float(roc_auc_score(truth, scores, multi_class="ovr"))
