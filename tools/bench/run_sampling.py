"""Rows that a bundle's generator draws a CPU second on one thread, decoded, with what the time goes to."""

import argparse
import cProfile
import functools
import pathlib
import pstats
import statistics

import torch

from generator.costs import rows_a_second
from headwater.generator.bundle import Bundle


def main() -> None:
    """Measure, then draw once more under the profiler."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=pathlib.Path, help="folder that simulate --keep-generator made")
    parser.add_argument("--rows", type=int, default=100_000, help="of each draw")
    parser.add_argument("--repeats", type=int, default=5, help="draws, one seed each")
    parser.add_argument("--profile", type=int, default=0, help="so many lines of a profile, by time of their own")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = Bundle.load(options.bundle)
    draw = functools.partial(rows_a_second, bundle.sampler, bundle.encoding, options.rows)
    rates = [draw(seed) for seed in range(options.repeats)]
    middle, low, high = statistics.median(rates), min(rates), max(rates)
    print(f"{bundle.sampler.kind}: {middle:,.0f} rows a CPU second ({low:,.0f} to {high:,.0f})")
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(draw, 0)
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)


if __name__ == "__main__":
    main()
