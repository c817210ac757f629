"""A lying server asks Flower's SecAgg+ clients and Headwater's for the same things; both answers, side by side.

    python examples/attacks/run.py

Everything shown is measured in the run. The exit status is 0 only if every attack opened a client's vector under
SecAgg+ and none did under Headwater.
"""

import argparse
import os
from collections.abc import Sequence
from importlib.metadata import version

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import flower_attacks
import headwater_attacks
import numpy as np
from outcome import Comparison
from rich.console import Console
from rich.table import Table
from seed_search import SEED_BITS

from headwater.secagg.wire.messages import SUITE


def compare(seed: int, space_bits: int) -> list[Comparison]:
    """Make every attack on both systems.

    Args:
        seed: of the vectors and of flwr's random rounding; keys are always fresh.
        space_bits: seeds to search, as a power of two.
    """
    # flwr rounds with numpy's global generator, so that is the one to seed.
    np.random.seed(seed)
    vectors = np.random.default_rng(seed)
    return [
        Comparison(
            "One unmask request lists every client as active and as dropped",
            flower_attacks.both_lists(vectors),
            headwater_attacks.both_lists(vectors),
        ),
        Comparison(
            "The server chooses modulus, range and clip: modulus 2, range 1, clip 1e-9",
            flower_attacks.modulus_of_two(vectors),
            headwater_attacks.other_parameters(vectors),
        ),
        Comparison(
            "The server chooses the threshold: 1, or fewer than T",
            flower_attacks.threshold_of_one(vectors),
            headwater_attacks.smaller_threshold(vectors),
        ),
        Comparison(
            "The server invents the other clients",
            flower_attacks.invented_peers(vectors),
            headwater_attacks.invented_peers(vectors),
        ),
        Comparison(
            "An honest round of three, one client on the server's side: search the seed of the last mask",
            flower_attacks.small_seed(vectors, space_bits),
            headwater_attacks.seed_entropy(vectors),
        ),
    ]


def show(comparisons: Sequence[Comparison], console: Console) -> int:
    """Print the table.

    Returns:
        The exit status: 0 if each attack opened the one and not the other.
    """
    table = Table(show_lines=True, title="What a lying server learns")
    table.add_column("What the server does", ratio=2)
    table.add_column(f"SecAgg+ (flwr {version('flwr')})", ratio=4)
    table.add_column("Headwater", ratio=4)
    for row in comparisons:
        table.add_row(row.request, *(f"{side.verdict}: {side.text}" for side in (row.flower, row.headwater)))
    console.print(
        "Five clients with 1,000 integers each, unless a row says otherwise. OPENED: the server holds what the masks "
        f"should hide. REFUSED: in the words of whoever refuses. Headwater's suite is {SUITE}.\n",
        markup=False,
    )
    console.print(table, markup=False)
    theirs, ours = sum(row.flower.opened for row in comparisons), sum(row.headwater.opened for row in comparisons)
    console.print(f"\nOf {len(comparisons)} attacks, {theirs} opened SecAgg+ and {ours} Headwater.", markup=False)
    unexpected = [row.request for row in comparisons if not row.as_expected]
    for request in unexpected:
        console.print(f"not as expected: {request}", markup=False)
    return 1 if unexpected else 0


def main() -> int:
    """Read the options, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the clients' vectors (default 1); keys are always fresh"
    )
    parser.add_argument(
        "--space-bits",
        type=int,
        choices=range(8, SEED_BITS + 1),
        default=20,
        metavar="N",
        help=f"search 2^N seeds, 8 to {SEED_BITS} (default 20); {SEED_BITS} is the whole space, about a minute",
    )
    options = parser.parse_args()
    return show(compare(options.seed, options.space_bits), Console())


if __name__ == "__main__":
    raise SystemExit(main())
