"""Load a synthetic dataset, verified, train a model on it, and ask about real rows if there are any.

python examples/research/train_a_model.py adult --target income [--catalogue URL] [--test real.csv]

The catalogue must be known (`headwater catalogue add`, once). Every row that is read was verified: the files are the
ones that were signed under the charter that you pinned. Without --test a fifth of the synthetic rows is held out,
which says how well the model learned the synthetic data, and nothing of how well it does on real people.
"""

import argparse

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import classification_report, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import headwater
from headwater.errors import HeadwaterError


def main() -> None:
    """Load, train, test, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the dataset, as `headwater list` shows it")
    parser.add_argument("--target", required=True, help="column to predict")
    parser.add_argument("--version", type=int, help="of the dataset; by default the newest")
    parser.add_argument("--catalogue", help="address of one known catalogue")
    parser.add_argument("--test", help="CSV of real rows with the same columns")
    options = parser.parse_args()

    try:
        rows = headwater.load_dataset(options.name, options.version, catalogue=options.catalogue).to_pandas()
    except HeadwaterError as error:
        parser.error(str(error))
    if options.target not in rows.columns:
        parser.error(f"{options.name} has no column {options.target!r}; there are {', '.join(rows.columns)}")
    if options.test is None:
        train, test = train_test_split(rows, test_size=0.2, random_state=0)
        print("Tested on held-out SYNTHETIC rows: no evidence of how the model does on real ones (give --test).")
    else:
        train, test = rows, pd.read_csv(options.test)
        if missing := sorted(set(rows.columns) - set(test.columns)):
            parser.error(f"{options.test} has no column {missing[0]!r}")
        print(f"Tested on {len(test):,} real rows.")

    features = [name for name in rows.columns if name != options.target]
    words = [name for name in features if not pd.api.types.is_numeric_dtype(rows[name])]
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = make_pipeline(
        make_column_transformer((encode, words), remainder="passthrough"),
        HistGradientBoostingClassifier(random_state=0),
    )
    inputs, asked = (part[features].astype(dict.fromkeys(words, str)) for part in (train, test))
    model.fit(inputs, train[options.target].astype(str))
    truth = test[options.target].astype(str)
    print(classification_report(truth, model.predict(asked), zero_division=0))
    if len(model.classes_) == 2:
        score = model.predict_proba(asked)[:, 1]
        print(f"ROC AUC {roc_auc_score(truth == model.classes_[1], score):.3f}")


if __name__ == "__main__":
    main()
