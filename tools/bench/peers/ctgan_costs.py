"""What CTGAN costs: `python ctgan_costs.py TRAIN.csv EPOCHS SEED`, in an environment that has ctgan; JSON on stdout.

One thread. CPU seconds, but for the encoder's: its workers are processes of joblib, so its steps are wall seconds on
all cores, which is in CTGAN's favour.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import ctgan
import ctgan.data_transformer
import numpy as np
import pandas as pd
import torch

BATCH, SAMPLED, REPEATS = 500, 100_000, 3


def clocked(wall: dict[str, float], cpu: dict[str, float], name: str) -> None:
    """Add up what a method of CTGAN's encoder takes: wall seconds, and this process's CPU seconds."""
    owner = ctgan.data_transformer.DataTransformer
    method: Callable[..., Any] = getattr(owner, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        begun, mark = time.perf_counter(), time.process_time()
        try:
            return method(*arguments, **options)
        finally:
            wall[name] = wall.get(name, 0.0) + time.perf_counter() - begun
            cpu[name] = cpu.get(name, 0.0) + time.process_time() - mark

    setattr(owner, name, timed)


def main(path: str, epochs: int, seed: int) -> None:
    """Fit, sample, tell."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    discrete = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    wall: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for step in ("fit", "transform"):
        clocked(wall, cpu, step)
    model = ctgan.CTGAN(epochs=epochs, batch_size=BATCH, verbose=False, enable_gpu=False)
    model.set_random_state(seed)
    begun = time.process_time()
    model.fit(table, discrete)
    fit_seconds = time.process_time() - begun
    rates = []
    for _ in range(REPEATS):
        begun = time.process_time()
        model.sample(SAMPLED)
        rates.append(SAMPLED / (time.process_time() - begun))
    figures = {
        "rows": len(table),
        "epochs": epochs,
        "batch": BATCH,
        "fit_seconds": fit_seconds,
        "step_seconds": (fit_seconds - sum(cpu.values())) / (epochs * max(len(table) // BATCH, 1)),
        "fit_wall_seconds": wall["fit"],
        "transform_wall_seconds": wall["transform"],
        "rows_per_second": float(np.median(rates)),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
