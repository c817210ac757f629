"""Usefulness, to the last digit of the judge that is copied to tools/bench."""

import hashlib
import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from headwater.errors import InputError
from headwater.evaluation.judged import trees
from headwater.evaluation.usefulness import Usefulness
from headwater.schema.conform import load_table
from headwater.schema.draft import draft
from headwater.schema.writing import write_csv

JUDGE = Path(__file__).parents[3] / "tools" / "bench" / "quality.py"
# Of the judge as it was given; a change of the copy would make figures incomparable with all earlier ones.
JUDGE_SHA256 = "44834a5ea8c2eeb4f9336471d366258181e314c8279a4da7f251ae1485251f0d"


@pytest.fixture(scope="module")
def judge() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quality", JUDGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated(rows: int, seed: int, classes: int = 2) -> pa.Table:
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows)
    dose = np.round(random.exponential(3.0, rows), 4)
    ward = random.choice(["north", "south", " 7", "?"], rows, p=[0.5, 0.3, 0.15, 0.05])
    flag = random.integers(0, 2, rows)
    logit = 0.04 * (age - 45) - 0.2 * dose + (ward == "north") - 0.3 + random.logistic(size=rows)
    label = np.clip(np.floor(logit / 1.5) + 1, 0, classes - 1).astype(int)
    lab = pa.array(np.where(random.random(rows) < 0.1, np.nan, dose * 2), from_pandas=True)
    return pa.table({"age": age, "dose": dose, "lab": lab, "ward": ward, "flag": flag, "ill": label})


def judged(judge: ModuleType, folder: Path, train: pa.Table, test: pa.Table, synthetic: pa.Table) -> dict[str, float]:
    frames = []
    for name, table in (("train", train), ("test", test), ("synthetic", synthetic)):
        write_csv(table, folder / f"{name}.csv")
        frames.append(judge.read(folder / f"{name}.csv"))
    table = judge.Table(frames[0], "ill")
    aligned = [table.align(frame) for frame in frames]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = judge.usefulness(table, aligned[2].iloc[: train.num_rows], aligned[1])
    return {"gbm": found["gbm_auc"], "lr": found["lr_auc"]}


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_the_judges_to_the_last_digit(judge: ModuleType, tmp_path: Path, classes: int) -> None:
    train, test = generated(400, 1, classes), generated(200, 2, classes)
    # Longer than the training rows: both cut it to as many.
    synthetic = generated(500, 3, classes)
    expected = judged(judge, tmp_path, train, test, synthetic)
    assert Usefulness(train, test, "ill").score(synthetic) == expected
    assert 0.55 < expected["gbm"] < 1
    assert 0.55 < expected["lr"] < 1


def test_the_trees_have_the_judges_settings(judge: ModuleType) -> None:
    # Settings such as the number of leaves would not tell on a small table.
    assert trees().get_params() == judge.trees().get_params()


def test_text_typed_and_pandas_tables_score_alike(tmp_path: Path) -> None:
    train, test, synthetic = (generated(300, seed) for seed in (1, 2, 3))
    frames = []
    for number, table in enumerate((train, test, synthetic)):
        write_csv(table, tmp_path / f"{number}.csv")
        frames.append(pd.read_csv(tmp_path / f"{number}.csv", keep_default_na=False, na_values=[""]))
    typed = Usefulness(train, test, "ill").score(synthetic)
    assert Usefulness(frames[0], frames[1], "ill").score(frames[2]) == typed
    # In a schema's form the target's classes and the flag are text; in CSV they read as numbers again.
    schema = draft(pa.concat_tables([train, test, synthetic]), "ill", "t")
    conformed = [load_table(table, schema) for table in (train, test, synthetic)]
    assert Usefulness(conformed[0], conformed[1], "ill").score(conformed[2]) == typed
    assert Usefulness(train, test, "ill").score(conformed[2].to_arrow()) == typed


def test_a_columns_name_may_hold_any_character() -> None:
    plain = [generated(300, seed) for seed in (1, 2, 3)]
    odd = [table.rename_columns(["age", 'BMI: kg [m2], "dry"', "{lab}", "wärd", "flag", "ill"]) for table in plain]
    assert Usefulness(odd[0], odd[1], "ill").score(odd[2]) == Usefulness(plain[0], plain[1], "ill").score(plain[2])


def test_a_better_table_scores_better() -> None:
    train, test = generated(600, 1), generated(400, 2)
    judge_of = Usefulness(train, test, "ill")
    shuffled = train.set_column(5, "ill", train["ill"].take(np.random.default_rng(0).permutation(600)))
    real, noise = judge_of.score(train), judge_of.score(shuffled)
    for model in ("gbm", "lr"):
        assert noise[model] < 0.62 < real[model]


def test_a_table_of_one_class_scores_one_half() -> None:
    train, test = generated(200, 1), generated(100, 2)
    constant = train.set_column(5, "ill", pa.array([1] * 200))
    unknown = train.set_column(5, "ill", pa.array(["x"] * 200))
    assert Usefulness(train, test, "ill").score(constant) == {"gbm": 0.5, "lr": 0.5}
    assert Usefulness(train, test, "ill").score(unknown) == {"gbm": 0.5, "lr": 0.5}


def test_missing_categories_are_a_level_of_their_own() -> None:
    train, test = generated(200, 1), generated(100, 2)
    wards = pa.array([None, "south"] * 100, pa.string())
    train = train.set_column(3, "ward", wards)
    scores = Usefulness(train, test, "ill").score(train)
    assert 0 <= scores["gbm"] <= 1
    assert 0 <= scores["lr"] <= 1


def test_what_cannot_be_scored_is_refused() -> None:
    train, test = generated(200, 1), generated(100, 2)
    with pytest.raises(InputError, match="no column 'well'"):
        Usefulness(train, test, "well").score(train)
    with pytest.raises(InputError, match="lacks the column 'dose'"):
        Usefulness(train, test, "ill").score(train.drop_columns(["dose"]))
    with pytest.raises(InputError, match="classes of 'ill'"):
        Usefulness(train, test.set_column(5, "ill", pa.array([1] * 100)), "ill").score(train)


def test_the_judge_in_the_repository_is_the_one_that_was_given() -> None:
    assert hashlib.sha256(JUDGE.read_bytes()).hexdigest() == JUDGE_SHA256


def test_importing_it_loads_no_model_library() -> None:
    code = (
        "import sys, headwater.evaluation.usefulness, headwater.evaluation.split\n"
        "print([name for name in ('pandas', 'lightgbm', 'sklearn', 'torch') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
