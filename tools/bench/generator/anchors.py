"""What others reached on Adult from pooled rows: figures on record, not measured in this run."""

from dataclasses import dataclass

__all__ = ["ADULT", "ANCHOR_SOURCE", "Anchor"]

ANCHOR_SOURCE = (
    "trained on all 26,048 rows in one place and judged by the same `quality.py` on a machine of the same kind; on "
    "record, not part of this run (CTGAN and TVAE: ctgan 0.12.1 with 100 and 300 epochs; TabularARGN: "
    "mostlyai-engine 2.7.3; Gaussian copula: sdv 2.0)."
)


@dataclass(frozen=True)
class Anchor:
    """One peer's figures."""

    name: str
    gbm: float
    lr: float
    tvd1: float
    tvd2: float
    c2st: float


ADULT = (
    Anchor("TabularARGN", 0.899, 0.890, 0.029, 0.057, 0.69),
    Anchor("TVAE", 0.891, 0.886, 0.114, 0.203, 0.98),
    Anchor("CTGAN", 0.877, 0.880, 0.145, 0.243, 1.00),
    Anchor("Gaussian copula", 0.844, 0.862, 0.106, 0.239, 1.00),
)
