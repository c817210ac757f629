"""Anonymeter's linkability: `python anonymeter_linkability.py TRAIN.csv HOLDOUT.csv SYNTHETIC.csv DOMAIN.json`.

Runs in an environment that has anonymeter. Figures on stdout: the risk beyond the holdout's and its interval at 95 %,
CPU seconds. Both halves of the columns are given; a link counts where one of ten neighbours is shared, its default's
tenfold, or the nearest alone.
"""

import json
import sys
import time
import warnings

import pandas as pd
from anonymeter.evaluators import LinkabilityEvaluator

__all__ = ["main"]


def main(train: str, holdout: str, synthetic: str, domain: str) -> None:
    """Attack a table."""
    with open(domain, encoding="utf-8") as file:
        given = json.load(file)
    tables = [pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in (train, holdout, synthetic)]
    numeric = set(given["numeric"])
    for table in tables:
        for name in table.columns:
            table[name] = table[name].astype(float) if name in numeric else table[name].astype(str)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = LinkabilityEvaluator(
            ori=tables[0],
            syn=tables[2],
            control=tables[1],
            n_attacks=given["attacks"],
            aux_cols=(given["left"], given["right"]),
            n_neighbors=given["neighbours"],
        )
        evaluator.evaluate(n_jobs=1)
        risk = evaluator.risk(confidence_level=0.95)
    low, high = risk.ci
    print(json.dumps({
        "risk": float(risk.value),
        "low": float(low),
        "high": float(high),
        "seconds": time.process_time() - began,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
