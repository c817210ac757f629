"""Rows that a bundle's generator draws a CPU second on one thread, decoded, with what the time goes to.

Usage: python tools/bench/run_sampling.py FOLDER [--profile 20]
       python tools/bench/run_sampling.py FOLDER --where sex=Female --where age=30..40 hours=20..60 --balanced income
"""

import argparse
import cProfile
import functools
import pathlib
import pstats
import statistics
import time
from collections.abc import Callable

import torch

from generator.costs import rows_a_second
from headwater.generator.bundle import Bundle
from headwater.generator.table_generator import RowRequest, TableGenerator, load_generator
from headwater.schema.condition_text import read_condition


def main() -> None:
    """Measure, then draw once more under the profiler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path, help="folder that simulate --keep-generator made")
    parser.add_argument("--rows", type=int, default=100_000, help="of each draw")
    parser.add_argument("--repeats", type=int, default=5, help="draws, one seed each")
    parser.add_argument("--profile", type=int, default=0, help="so many lines of a profile, by time of their own")
    parser.add_argument(
        "--where", nargs="+", action="append", default=[], help="rows of a condition too, one measure each"
    )
    parser.add_argument("--balanced", action="append", default=[], help="rows with equal shares of a column too")
    parser.add_argument("--views", type=int, default=0, help="rows in groups of so many views too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = Bundle.load(options.bundle)
    draw = functools.partial(rows_a_second, bundle.sampler, bundle.encoding, options.rows)
    _tell(bundle.sampler.kind, draw, options.repeats)
    generator = load_generator(options.bundle, device="cpu")
    schema = generator.schema
    requests = {" and ".join(texts): RowRequest(read_condition(schema, texts)) for texts in options.where}
    requests |= {f"balanced by {column}": RowRequest(balanced={column: None}) for column in options.balanced}
    if options.views:
        requests[f"{options.views} views"] = RowRequest(views=options.views)
    for what, request in requests.items():
        _tell(what, _way(generator, options.rows, request), options.repeats)
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(draw, 0)
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)


def _tell(what: str, draw: Callable[[int], float], repeats: int) -> None:
    rates = [draw(seed) for seed in range(repeats)]
    print(f"{what}: {statistics.median(rates):,.0f} rows a CPU second ({min(rates):,.0f} to {max(rates):,.0f})")


def _way(generator: TableGenerator, rows: int, request: RowRequest) -> Callable[[int], float]:
    """Draws as a user asks for them, Arrow table included: from a seed to rows a CPU second."""

    def rate(seed: int) -> float:
        begun = time.process_time()
        drawn = sum(part.to_arrow().num_rows for part in generator.reader(request).first(rows, seed))
        return drawn / (time.process_time() - begun)

    return rate


if __name__ == "__main__":
    main()
