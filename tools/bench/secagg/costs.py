"""What one round costs client and server, beside Flower's SecAgg+ in the same run: section (a) and dropouts, (e)."""

from dataclasses import asdict, dataclass
from typing import Any

from secagg.consortium import Consortium
from secagg.flower_rounds import FlowerRounds
from secagg.headwater_rounds import HeadwaterRounds
from secagg.roles import SPOOL_BYTES

__all__ = ["Cell", "cells", "dropout_cells", "measure_cell"]


@dataclass(frozen=True)
class Cell:
    """One place of the table.

    Attributes:
        count: organisations.
        length: values in each vector.
        repeats: measured rounds of each side, in turns.
        warm_up: rounds of each side before them; with stand-ins Flower takes none, for each takes half a minute.
        stand_ins: all of Flower's clients but the measured one neither mask nor share anew.
        dropped: members that vanish before they upload.
        peer: whether Flower takes part.
    """

    count: int
    length: int
    repeats: int = 3
    warm_up: int = 1
    stand_ins: bool = False
    dropped: int = 0
    peer: bool = True


def cells(*, quick: bool) -> list[Cell]:
    """The table of (a); `quick` leaves the large ones out."""
    if quick:
        return [Cell(5, 10**5), Cell(10, 10**5), Cell(10, 10**6)]
    tens = [Cell(10, 10**6, repeats=5), Cell(10, 10**7), Cell(10, 10**5, repeats=5)]
    fives = [Cell(5, 10**5, repeats=5), Cell(5, 10**6), Cell(5, 10**7)]
    # What the verdicts need comes first. 50 × 10^7 would keep Flower busy for minutes and in gigabytes: ours alone.
    fifties = [Cell(50, 10**7, repeats=1, warm_up=0, peer=False), Cell(50, 10**6, stand_ins=True)]
    return [*tens, *fives, *fifties, Cell(50, 10**5, stand_ins=True)]


def dropout_cells(*, quick: bool) -> list[Cell]:
    """The rounds of (e): nobody drops, then 30 % do."""
    sizes = [(10, 10**5)] if quick else [(10, 10**5), (10, 10**6)]
    return [Cell(count, length, dropped=lost) for count, length in sizes for lost in (0, 3 * count // 10)]


def measure_cell(cell: Cell) -> dict[str, Any]:
    """Take both sides' rounds in turns.

    Returns:
        "headwater" and "flower": a list of `RoundCost` as dictionaries; "setup": CPU seconds of our client and
        server for the session's setup, which Flower does in each round; "spool_bytes" that the coordinator may hold.

    Raises:
        SystemExit: a sum or mean was not the one expected.
    """
    consortium = Consortium(cell.count, cell.length)
    dropped = consortium.names[len(consortium.names) - cell.dropped :]
    sides: dict[str, HeadwaterRounds | FlowerRounds] = {"headwater": (ours := HeadwaterRounds(consortium))}
    if cell.peer:
        sides["flower"] = FlowerRounds(consortium, stand_ins=cell.stand_ins)
    costs: dict[str, list[dict[str, Any]]] = {"headwater": [], "flower": []}
    for repeat in range(-cell.warm_up, cell.repeats):
        for name, rounds in sides.items():
            if repeat < 0 and cell.stand_ins and name == "flower":
                continue
            cost = rounds.round(dropped)
            if repeat >= 0:
                costs[name].append(asdict(cost))
    for rounds in sides.values():
        rounds.end()
    setup = {"client_seconds": ours.setup_client_seconds, "server_seconds": ours.setup_server_seconds}
    return {**costs, "setup": setup, "spool_bytes": SPOOL_BYTES}
