"""Rows that a bundle's generator draws a CPU second on one thread, decoded, with what the time goes to."""

import argparse
import cProfile
import pathlib
import pstats
import statistics
import time

import torch

from headwater.generator.bundle import Bundle


def main() -> None:
    """Measure, then draw once more under the profiler."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=pathlib.Path, help="folder that simulate --keep-generator made")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", type=int, default=0, help="so many lines of a profile, by time of their own")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = Bundle.load(options.bundle)
    rates = [_rate(bundle, options.rows, seed) for seed in range(options.repeats)]
    middle, low, high = statistics.median(rates), min(rates), max(rates)
    print(f"{bundle.sampler.kind}: {middle:,.0f} rows a CPU second ({low:,.0f} to {high:,.0f})")
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(_rate, bundle, options.rows, 0)
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)


def _rate(bundle: Bundle, rows: int, seed: int) -> float:
    begun = time.process_time()
    drawn = sum(batch.rows for batch in bundle.sampler.tables(bundle.encoding, rows, seed, device="cpu"))
    return drawn / (time.process_time() - begun)


if __name__ == "__main__":
    main()
