"""The split, against the judge's own."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headwater.evaluation.split import SPLIT_SEED, judge_split

JUDGE = Path(__file__).parents[3] / "tools" / "bench" / "quality.py"


@pytest.mark.parametrize("rows", [1, 5, 569, 32_561])
def test_it_is_the_judges(rows: int) -> None:
    spec = importlib.util.spec_from_file_location("quality", JUDGE)
    assert spec is not None
    assert spec.loader is not None
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    assert judge.SPLIT_SEED == SPLIT_SEED
    train, test = judge.split(pd.DataFrame({"row": np.arange(rows)}))
    ours = judge_split(rows)
    np.testing.assert_array_equal(ours[0], train["row"])
    np.testing.assert_array_equal(ours[1], test["row"])
