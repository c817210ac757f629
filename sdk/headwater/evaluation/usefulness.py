"""Train on synthetic, test on real: what a model learned from a table is worth on rows that nobody trained on."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Usefulness"]


@dataclass(frozen=True)
class Usefulness:
    """Scores of the two models of tools/bench/quality.py, to the last digit.

    Args:
        train: real training rows; they fix how columns are read, not what is learned.
        test: real rows that nobody trained on.
        target: a column that is not numeric in `train`.

    Raises:
        InputError: the target is no column, or numeric.
    """

    train: pa.Table
    test: pa.Table
    target: str

    def score(self, table: pa.Table) -> dict[str, float]:
        """Fit on `table`, test on the real test rows.

        Args:
            table: rows with the columns of `train`; cut to as many rows as `train` has.

        Returns:
            "gbm": ROC AUC of LightGBM, "lr": of logistic regression (several classes: one against the rest); both .5
            when the table holds one class only.

        Raises:
            InputError: a column is missing.
        """
        reader = _Reader(_frame(self.train), self.target)
        test, fitted_on = reader.align(_frame(self.test)), reader.align(_frame(table)).iloc[: self.train.num_rows]
        classes = reader.levels[self.target]
        fitted_on = fitted_on[fitted_on[self.target].isin(classes)]
        if fitted_on[self.target].nunique() < 2:
            return {"gbm": 0.5, "lr": 0.5}
        with warnings.catch_warnings():
            # Logistic regression may stop before it converges; the judge takes what it has then.
            warnings.simplefilter("ignore")
            return {
                "gbm": _auc(reader, _trees(), fitted_on, test, reader.tree_features),
                "lr": _auc(reader, _linear(reader), fitted_on, test, reader.linear_features),
            }


def _frame(table: pa.Table) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: table.column(name).to_pandas() for name in table.column_names})


class _Reader:
    """How any table is read like the training rows."""

    def __init__(self, train: "pd.DataFrame", target: str) -> None:
        import pandas as pd

        if target not in train:
            raise InputError(f"there is no column {target!r} to predict")
        self.target = target
        self.columns = list(train.columns)
        self.numeric = [c for c in self.columns if c != target and pd.api.types.is_numeric_dtype(train[c])]
        self.categorical = [c for c in self.columns if c not in self.numeric]
        self.medians = train[self.numeric].median()
        self.levels = {c: sorted(train[c].astype(str).unique()) for c in self.categorical}

    def align(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        if missing := [c for c in self.columns if c not in frame]:
            raise InputError(f"the table lacks the column {missing[0]!r}; it needs all columns of the training rows")
        frame = frame[self.columns].copy()
        for c in self.numeric:
            frame[c] = pd.to_numeric(frame[c], errors="coerce").astype(float).fillna(self.medians[c])
        for c in self.categorical:
            frame[c] = frame[c].astype(str)
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
