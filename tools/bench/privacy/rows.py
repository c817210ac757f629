"""What the benchmark of privacy measures: one row for each claim, each seed of it in a process of its own."""

from collections.abc import Mapping
from typing import Any

from generator.rows import Row, simulation
from headwater.privacy.calibration import rho_of_budget
from privacy.others import CRITIC

__all__ = [
    "CHOSEN",
    "DELTA",
    "EPSILONS",
    "FITS",
    "HYBRIDS",
    "MEMBERS",
    "MODEL_SIZES",
    "MODES",
    "PEERS",
    "ours",
    "peer_rows",
    "private_rows",
    "quick_rows",
]

EPSILONS = (0.3, 1.0, 3.0, 8.0)
DELTA = 1e-6
_SEEDS, _PEER_SEEDS, _OTHER_SEEDS = (1, 2, 3, 4, 5), (1, 2), (1, 2)

MEMBERS = (3, 5, 10, 20, 50)
"""Numbers of organisations that share the same rows out."""
MODES = ("joint", "local")
_REPEATS = 40

PEERS = {"aim": "AIM", "mst": "MST"}

CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "aim": {"binning": "cells", "bins": 16, "weighed": True, "iterations": 1000, "iterations_a_round": 150},
    "mst": {"binning": "cells", "bins": 16, "weighed": True},
}
"""Peer → its settings, chosen for it at ε = 1 on validation rows cut from the judge's training rows."""

MODEL_SIZES = {0.3: 80, 1.0: 80, 3.0: 80, 8.0: 8}
"""ε → megabytes that AIM's model may have: its own default, where that ends within minutes."""

FITS = {"network": "network on the same tables", "em": "mixture by noised EM"}
"""Ways to spend a budget that are not the default one, as `privacy.fits.measuring` names them → in words."""

_FITTED_AT = (1.0, 3.0)


HYBRIDS: Mapping[str, tuple[float, ...]] = {"adult": (1.0, 3.0, 8.0), "magic": (1.0,)}
"""Table → the ε at which `hybrid` stands beside `marginals`, at the same total."""


def ours(table: str, epsilon: float, seeds: tuple[int, ...], recipe: str | None = None) -> Row:
    """A row of `simulate --epsilon`, judged; five organisations, IID.

    Args:
        table: by name.
        epsilon: of everything.
        seeds: of the plan.
        recipe: a kind; None for the default plan's.
    """
    settings: dict[str, Any] = {
        "recipe": recipe,
        "partition": "iid",
        "organisations": 5,
        "changes": [],
        "budget": {"epsilon": epsilon, "delta": DELTA},
    }
    return Row(f"{table}-{recipe or 'ours'}-{epsilon:g}", "simulated", table, settings, seeds)


def peer_rows() -> list[Row]:
    """Peers on Adult: what an ε of 1 says first, so that a run that is stopped has most to say."""
    order = sorted(EPSILONS, key=lambda epsilon: (epsilon != 1.0, epsilon))
    return [_peer(peer, epsilon) for epsilon in order for peer in PEERS]


def _peer(peer: str, epsilon: float) -> Row:
    budget = {"epsilon": epsilon, "delta": DELTA, "rho": round(rho_of_budget(epsilon, DELTA), 6)}
    settings = dict(CHOSEN[peer]) | ({"model_size": MODEL_SIZES[epsilon]} if peer == "aim" else {})
    return Row(
        f"adult-{peer}-{epsilon:g}", "dpmm", "adult", {"model": peer, **budget, "settings": settings}, _PEER_SEEDS
    )


def private_rows() -> list[Row]:
    """Every row of ours."""
    rows = [Row("adult-real", "ceilings", "adult"), simulation("adult", "mixture", name="adult-none", seeds=(1,))]
    rows += [ours("adult", epsilon, _SEEDS) for epsilon in EPSILONS]
    rows += [_noise(mode, members) for members in MEMBERS for mode in MODES]
    for table in ("credit", "diabetes130"):
        rows.append(Row(f"{table}-real", "ceilings", table))
        rows += [ours(table, epsilon, _OTHER_SEEDS) for epsilon in (1.0, 3.0)]
    rows += [ours(name, epsilon, _OTHER_SEEDS, "hybrid") for name, found in HYBRIDS.items() for epsilon in found]
    rows += [ours("magic", epsilon, _OTHER_SEEDS) for epsilon in HYBRIDS["magic"]]
    if CRITIC.is_file():
        rows.append(Row("critic-step", "critic", None, alone=True))
    return rows + [_fit(name, epsilon) for epsilon in _FITTED_AT for name in FITS]


def _fit(name: str, epsilon: float) -> Row:
    settings = {"fit": name, "organisations": 5, "epsilon": epsilon, "delta": DELTA}
    return Row(f"adult-fit-{name}-{epsilon:g}", "fit", "adult", settings, _OTHER_SEEDS)


def _noise(mode: str, members: int) -> Row:
    settings = {"organisations": members, "mode": mode, "epsilon": 1.0, "delta": DELTA, "repeats": _REPEATS}
    return Row(f"noise-{mode}-{members}", "noise", "adult", settings)


def quick_rows() -> list[Row]:
    """One seed of what is soon done."""
    return [
        Row("adult-real", "ceilings", "adult"),
        *(ours("adult", epsilon, (1,)) for epsilon in (1.0, 3.0)),
        *(_noise(mode, members) for members in (3, 10, 50) for mode in MODES),
    ]
