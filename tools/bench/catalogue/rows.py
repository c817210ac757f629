"""What the benchmark of the catalogue measures: one row for each claim, several takes of it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["WORKERS", "Kind", "Row", "catalogue_rows", "quick_rows"]

Kind = Literal["pages", "file", "sdk", "while", "slow", "sampling", "shards"]

WORKERS = {"local": 0, "ray1": 1, "ray2": 2}
"""Part of a row's name → processes of Ray; 0 for the engine that needs none."""


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: unique.
        kind: what measures it.
        takes: measurements; their median counts.
        page: path of the page; "" for a row of another kind.
        peer: whose environment it needs; None for none.
        generator: what rows are drawn from; "" for a row that draws none.
        rows: drawn at a time.
        peer_rows: drawn by the peer at a time.
        workers: processes of Ray.
    """

    name: str
    kind: Kind
    takes: int
    page: str = ""
    peer: str | None = None
    generator: str = ""
    rows: int = 0
    peer_rows: int = 0
    workers: int = 0


def _served(takes: int) -> list[Row]:
    return [
        Row("page-index", "pages", takes, "/"),
        Row("page-dataset", "pages", takes, "/datasets/visits-01/1"),
        Row("file", "file", takes),
        Row("while-file", "while", takes),
        Row("slow-readers", "slow", 1),
        Row("sdk", "sdk", takes),
    ]


def _sampling(takes: int, rows: int, peer_rows: int, hybrid: str) -> list[Row]:
    return [
        Row(f"sampling-{name}", "sampling", takes, peer="ctgan", generator=generator, rows=rows, peer_rows=peer_rows)
        for name, generator in (("mixture", "mixture"), ("hybrid", hybrid))
    ]


def _shards(*sizes: int) -> list[Row]:
    return [
        Row(f"shards-{engine}-{rows}", "shards", 1, generator="mixture", rows=rows, workers=workers)
        for engine, workers in WORKERS.items()
        for rows in sizes
    ]


def catalogue_rows() -> list[Row]:
    """Every row, those with a number to reach among them.

    Rows are drawn before anything is served: a coordinator and an nginx would only be in their way.
    """
    return [*_sampling(5, 1_000_000, 200_000, "hybrid"), *_shards(10**5, 10**6, 10**7), *_served(7)]


def quick_rows() -> list[Row]:
    """The same, seldomer; fewer rows drawn."""
    return [*_sampling(3, 100_000, 50_000, "hybrid-soon"), *_shards(10**5, 10**6), *_served(3)]
