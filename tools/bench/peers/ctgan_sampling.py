"""CTGAN that draws on request: `python ctgan_sampling.py TRAIN.csv EPOCHS SEED`, in an environment that has ctgan.

Fits on one core and says what it drew from, as a line of JSON on stdout; then draws as many rows as each line of stdin
names and says in another line what that took: CPU seconds of this process, and wall seconds.
"""

import json
import os
import sys
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "1"

import ctgan
import numpy as np
import pandas as pd
import torch


def main(path: str, epochs: int, seed: int) -> None:
    """Fit, then answer."""
    warnings.filterwarnings("ignore")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    discrete = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    model = ctgan.CTGAN(epochs=epochs, verbose=False, enable_gpu=False)
    model.set_random_state(seed)
    model.fit(table, discrete)
    print(json.dumps({"kind": f"CTGAN {ctgan.__version__}", "columns": table.shape[1]}), flush=True)
    for line in sys.stdin:
        rows = int(line)
        begun, mark = time.perf_counter(), time.process_time()
        drawn = len(model.sample(rows))
        took = {"cpu_seconds": time.process_time() - mark, "wall_seconds": time.perf_counter() - begun}
        print(json.dumps({"rows": drawn, **took}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
