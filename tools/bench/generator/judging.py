"""A synthetic table's figures, by the parts of the one judge (`quality.py`) that change with the table."""

from typing import Any

import numpy as np

import quality

__all__ = ["ceilings", "judge"]


def judge(train: Any, test: Any, synthetic: Any, target: str) -> dict[str, float]:
    """What `quality.judge` says of a synthetic table, without what it says of the real ones again.

    Args:
        train: data frame of the rows that were shared out.
        test: data frame of rows that nobody trained on.
        synthetic: data frame; cut to the number of training rows.
        target: column that models predict.
    """
    table = quality.Table(train, target)
    train, test, synthetic = table.align(train), table.align(test), table.align(synthetic).iloc[: len(train)]
    return {
        **_useful(table, synthetic, test),
        **_distant(table, train, synthetic),
        "c2st": float(quality.distinguishable(table, test, synthetic)),
    }


def ceilings(train: Any, test: Any, target: str) -> dict[str, float]:
    """The same figures of real rows: the ceiling of usefulness, the floor of distance."""
    table = quality.Table(train, target)
    train, test = table.align(train), table.align(test)
    return {**_useful(table, train, test), **_distant(table, train, test)}


def _useful(table: Any, fitted_on: Any, tested_on: Any) -> dict[str, float]:
    scores = quality.usefulness(table, fitted_on, tested_on)
    return {"gbm": float(scores["gbm_auc"]), "lr": float(scores["lr_auc"])}


def _distant(table: Any, left: Any, right: Any) -> dict[str, float]:
    one, two = quality.distances(table, left, right)
    nominal = [distance for pair, distance in two.items() if set(pair) <= set(table.categorical)]
    return {
        "tvd1": float(np.mean(list(one.values()))),
        "tvd2": float(np.mean(list(two.values()))),
        # Without two categorical columns there is none.
        **({"contingency": float(1 - np.mean(nominal))} if nominal else {}),
    }
