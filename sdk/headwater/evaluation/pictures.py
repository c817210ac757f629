"""Train on synthetic, test on real, for pictures: how often fixed classifiers are right."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn
from headwater.schema.table import Table

__all__ = ["nearest_distances", "picture_accuracy"]

F64 = NDArray[np.float64]

_CHUNK = 512


def picture_accuracy(train: Table, test: Table) -> dict[str, float]:
    """Fit three classifiers of scikit-learn on pictures, count how many test pictures they get right.

    Args:
        train: pictures with a categorical or boolean target, real or synthetic.
        test: real pictures of the same schema that nobody trained on.

    Returns:
        Shares of right answers: "svc" of a support vector machine, "forest" of a random forest, "lr" of logistic
        regression; all are the share of the only class where `train` has one class.

    Raises:
        InputError: the schema has no image, or no categorical or boolean target.
    """
    features, labels = _known(train)
    test_features, truth = _known(test)
    if len(np.unique(labels)) < 2:
        share = float((truth == labels[0]).mean()) if len(labels) else 0.0
        return {"svc": share, "forest": share, "lr": share}
    scores = {}
    for name, classifier in _classifiers().items():
        with warnings.catch_warnings():
            # Logistic regression may stop before it converges; the judge takes what it has then.
            warnings.simplefilter("ignore")
            classifier.fit(features, labels)
            scores[name] = float((classifier.predict(test_features) == truth).mean())
    return scores


def nearest_distances(pictures: Table, among: Table) -> F64:
    """Distance of each picture to the nearest of others: root mean square over pixels, as a share of the top level.

    Where synthetic pictures are as far from the training pictures as from others that nobody trained on, they are no
    copies.

    Args:
        pictures: shape (rows, pixels) by its first image.
        among: at least one picture of the same schema.

    Returns:
        float64, shape (rows,), 0 for a copy.
    """
    image = _image(pictures)
    top = image.levels - 1
    others = among.columns[image.name].astype(np.float64) / top
    squares = np.square(others).sum(axis=1)
    nearest = [np.zeros(0)]
    for start in range(0, pictures.rows, _CHUNK):
        part = pictures.columns[image.name][start : start + _CHUNK].astype(np.float64) / top
        distances = np.square(part).sum(axis=1)[:, None] + squares - 2 * part @ others.T
        nearest.append(np.sqrt(np.maximum(distances.min(axis=1), 0) / image.pixels))
    return np.concatenate(nearest)


def _image(table: Table) -> ImageColumn:
    if not table.schema.images:
        raise InputError(f"schema {table.schema.name!r} has no image; there are no pictures to judge")
    return table.schema.images[0]


def _known(table: Table) -> tuple[F64, NDArray[np.int32]]:
    """Pixels of all images side by side, from 0 to 1, and labels, of rows that have one."""
    _image(table)
    target = table.schema.target
    if not isinstance(target, CategoricalColumn | BooleanColumn):
        raise InputError(f"schema {table.schema.name!r} has no categorical target; there is nothing to classify")
    labels = table.columns[target.name]
    parts = [table.columns[image.name] / (image.levels - 1) for image in table.schema.images]
    known = labels >= 0
    return np.concatenate(parts, axis=1)[known], labels[known]


def _classifiers() -> dict[str, Any]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    return {
        "svc": SVC(),
        "forest": RandomForestClassifier(200, random_state=0),
        "lr": LogisticRegression(max_iter=300),
    }
