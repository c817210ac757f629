"""Measure one row in this process: `python -m generator.worker KIND ARGUMENTS`, its figures on the last line."""

import importlib
import json
import sys
import warnings

__all__ = ["KINDS", "main"]

KINDS = {
    "audit": ("audit.measuring", "measure"),
    "audit-peer": ("audit.peers", "measure"),
    "alone": ("generator.members", "measure"),
    "ceilings": ("generator.real", "measure"),
    "critic": ("privacy.others", "measure_critic"),
    "ctgan": ("generator.peers", "measure_ctgan"),
    "digits": ("generator.others", "measure_digits"),
    "dpmm": ("privacy.peers", "measure"),
    "encoder": ("generator.costs", "measure_encoder"),
    "fit": ("privacy.fits.measuring", "measure"),
    "growth": ("generator.others", "measure_growth"),
    "memory": ("generator.costs", "measure_memory"),
    "noise": ("privacy.noise", "measure"),
    "sampling": ("generator.costs", "measure_sampling"),
    "simulated": ("generator.simulated", "measure"),
}
"""What measures each kind of row: imported by the process that does it, so that no other pays for it."""


def main(kind: str, arguments: str) -> None:
    """Measure, and print the figures as JSON."""
    module, name = KINDS[kind]
    # What models of the judge say of their own convergence is no figure.
    warnings.filterwarnings("ignore")
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(arguments))))


if __name__ == "__main__":
    main(*sys.argv[1:])
