"""What one round costs client and server, beside Flower's SecAgg+ in the same run: section (a) and dropouts, (e)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from secagg.consortium import Consortium
from secagg.flower_rounds import FlowerRounds
from secagg.headwater_rounds import HeadwaterRounds

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
    """

    count: int
    length: int
    repeats: int = 3
    warm_up: int = 1
    stand_ins: bool = False
    dropped: int = 0


def cells(*, quick: bool) -> list[Cell]:
    """The table of (a); `quick` leaves the large ones out."""
    if quick:
        return [Cell(5, 10**5), Cell(10, 10**5), Cell(10, 10**6)]
    tens = [Cell(10, 10**6, repeats=5), Cell(10, 10**7), Cell(10, 10**5, repeats=5)]
    fives = [Cell(5, 10**5, repeats=5), Cell(5, 10**6), Cell(5, 10**7)]
    # What the verdicts need comes first; one round of the last rows takes Flower a minute and more.
    fifties = [Cell(50, 10**7, repeats=1, stand_ins=True), Cell(50, 10**6, stand_ins=True)]
    return [*tens, *fives, *fifties, Cell(50, 10**5, stand_ins=True)]


def dropout_cells(*, quick: bool) -> list[Cell]:
    """The rounds of (e): nobody drops, then 30 % do."""
    sizes = [(10, 10**5)] if quick else [(10, 10**5), (10, 10**6)]
    return [Cell(count, length, dropped=lost) for count, length in sizes for lost in (0, 3 * count // 10)]


def measure_cell(cell: Cell) -> dict[str, Any]:
    """Take both sides' rounds in turns.

    Returns:
        "headwater" and "flower": a list of `RoundCost` as dictionaries; "setup": CPU seconds of our client and
        server for the session's setup, which Flower does in each round.

    Raises:
        SystemExit: a sum or mean was not the one expected.
    """
    consortium = Consortium(cell.count, cell.length)
    dropped = consortium.names[len(consortium.names) - cell.dropped :]
    ours = HeadwaterRounds(consortium)
    theirs = FlowerRounds(consortium, stand_ins=cell.stand_ins)
    costs: dict[str, list[dict[str, Any]]] = {"headwater": [], "flower": []}
    for repeat in _repeats(cell):
        for name, rounds in (("headwater", ours), ("flower", theirs)):
            if repeat < 0 and cell.stand_ins and name == "flower":
                continue
            cost = rounds.round(dropped)
            if repeat >= 0:
                costs[name].append(asdict(cost))
    ours.end()
    theirs.end()
    setup = {"client_seconds": ours.setup_client_seconds, "server_seconds": ours.setup_server_seconds}
    return {**costs, "setup": setup}


def _repeats(cell: Cell) -> Iterator[int]:
    yield from range(-cell.warm_up, cell.repeats)
