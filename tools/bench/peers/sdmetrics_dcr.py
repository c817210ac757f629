"""SDMetrics' DCROverfittingProtection: `python sdmetrics_dcr.py TRAIN.csv HOLDOUT.csv SYNTHETIC.csv DOMAIN.json`.

Runs in an environment that has sdmetrics. Figures on stdout: the score, 1 where it sees no overfitting, the share of
synthetic rows that are nearer to a training row than to a holdout row, CPU seconds.
"""

import json
import sys
import time
import warnings

import pandas as pd
from sdmetrics.single_table import DCROverfittingProtection

__all__ = ["main"]

_SUBSAMPLE = 2000
_ITERATIONS = 3


def main(train: str, holdout: str, synthetic: str, domain: str) -> None:
    """Score a table; as many training rows as there are holdout rows are drawn, as the metric asks for.

    Of large tables the metric draws rows anew several times, as its own arguments provide, and tells the mean.
    """
    with open(domain, encoding="utf-8") as file:
        numeric = set(json.load(file)["numeric"])
    kinds: dict[str, type] = {}
    tables = [
        pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=kinds) for path in (train, holdout, synthetic)
    ]
    names = list(tables[0].columns)
    columns = {name: {"sdtype": "numerical" if name in numeric else "categorical"} for name in names}
    metadata = {"tables": {"rows": {"columns": columns}}}
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        half = tables[0].sample(len(tables[1]), random_state=0)
        found = DCROverfittingProtection.compute_breakdown(
            half, tables[2], tables[1], metadata, "rows", min(_SUBSAMPLE, *map(len, (half, *tables))), _ITERATIONS
        )
    shares = found["synthetic_data_percentages"]
    print(json.dumps({
        "score": float(found["score"]),
        "nearer": float(shares["closer_to_training"]),
        "seconds": time.process_time() - began,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
