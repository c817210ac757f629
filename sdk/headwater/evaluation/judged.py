"""How the judge reads tables: each one like the real training rows, with the trees that learn from it."""

import io
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.table import Table
from headwater.schema.writing import write_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "RowsReader", "auc", "frame_of", "trees"]

Rows = Union[Table, pa.Table, "pd.DataFrame"]


def frame_of(table: Rows) -> "pd.DataFrame":
    """Rows as the judge's own reader has them: an Arrow table through its CSV text, a data frame as it is."""
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    text = io.BytesIO()
    write_csv(table, text)
    text.seek(0)
    return pd.read_csv(text, keep_default_na=False, na_values=[""])


class RowsReader:
    """How any table is read like the training rows."""

    def __init__(self, train: "pd.DataFrame", target: str) -> None:
        """Take the rows that fix columns, levels and medians.

        Raises:
            InputError: the target is no column.
        """
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
        """The training rows' columns, each of their type.

        Raises:
            InputError: a column is missing.
        """
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
        """Places among the training rows' levels; what is none of them comes last."""
        lookup = {level: i for i, level in enumerate(self.levels[column])}
        return np.asarray(values.map(lookup).fillna(len(lookup)), dtype=np.int64)

    def tree_features(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """What trees learn from: the columns but the target, categories as such, under their places as names."""
        import pandas as pd

        features = frame[[c for c in self.columns if c != self.target]].copy()
        for c in self.categorical:
            if c != self.target:
                features[c] = pd.Categorical(self.codes(c, features[c]), categories=range(len(self.levels[c]) + 1))
        # LightGBM takes no name with a comma, a colon, a bracket or a quote.
        features.columns = pd.Index([str(place) for place in range(features.shape[1])])
        return features

    def linear_features(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """What a linear model learns from: the columns but the target."""
        return frame.drop(columns=[self.target])


def _texts(values: "pd.Series[Any]") -> "pd.Series[str]":
    # Missing is a level of its own; astype alone has written it as text, or kept it, from one pandas to the next.
    return values.astype(str).fillna("nan")


def trees() -> Any:
    """The judge's LightGBM, unfitted."""
    import lightgbm

    return lightgbm.LGBMClassifier(
        n_estimators=100, num_leaves=31, random_state=0, deterministic=True, force_row_wise=True, n_jobs=2, verbose=-1
    )


def auc(reader: RowsReader, model: Any, fitted_on: "pd.DataFrame", tested_on: "pd.DataFrame", features: Any) -> float:
    """ROC AUC of a model fitted on aligned rows; several classes: one against the rest."""
    from sklearn.metrics import roc_auc_score

    classes = reader.levels[reader.target]
    truth = reader.codes(reader.target, tested_on[reader.target])
    scores = np.zeros((len(tested_on), len(classes)))
    model.fit(features(fitted_on), reader.codes(reader.target, fitted_on[reader.target]))
    scores[:, model.classes_] = model.predict_proba(features(tested_on))
    if len(classes) == 2:
        return float(roc_auc_score(truth, scores[:, 1]))
    return float(roc_auc_score(truth, scores, multi_class="ovr"))
