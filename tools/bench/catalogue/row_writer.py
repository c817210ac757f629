"""Ours that draws on request: `python -m catalogue.row_writer BUNDLE`, as CTGAN's program `peers/ctgan_sampling.py`.

Says what it draws from, as a line of JSON on stdout; then writes as many rows as each line of stdin names to a Parquet
file, as `headwater-coordinator sample --out FILE.parquet` does, and says in another line what that took.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from headwater.generator.bundle import Bundle
from headwater.generator.row_file import write_rows
from headwater.generator.table_generator import RowReader, RowRequest

__all__ = ["main"]


def main(folder: str) -> None:
    """Read the generator, then answer."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    bundle = Bundle.load(Path(folder))
    reader = RowReader(bundle.sampler, bundle.encoding, RowRequest(), "cpu")
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    print(json.dumps({"kind": bundle.sampler.kind, "columns": len(bundle.encoding.schema.columns)}), flush=True)
    with tempfile.TemporaryDirectory() as place:
        for seed, line in enumerate(sys.stdin):
            begun, mark = time.perf_counter(), time.process_time()
            file = Path(place, f"{seed}.parquet")
            rows, size = write_rows(reader.first(int(line), seed), file, lambda done: None)
            took = {"cpu_seconds": time.process_time() - mark, "wall_seconds": time.perf_counter() - begun}
            print(json.dumps({"rows": rows, "bytes": size, **took}), flush=True)
            file.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
