"""Headwater: organisations that may not pool their records make one synthetic dataset together.

The SDK's top level loads no torch, no flwr and no grpc; heavy parts are imported from their own rooms.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.catalogue.dataset import load_dataset
    from headwater.catalogue.generators import load_generator
    from headwater.catalogue.opening import catalogue
    from headwater.catalogue.samples import request_sample

__version__ = "0.1.0"

__all__ = ["__version__", "catalogue", "load_dataset", "load_generator", "request_sample"]


def __getattr__(name: str) -> object:
    # Arrow and HTTP are loaded by the first call for a dataset, not by every import of the package.
    if name == "load_dataset":
        from headwater.catalogue.dataset import load_dataset

        return load_dataset
    if name == "load_generator":
        from headwater.catalogue.generators import load_generator

        return load_generator
    if name == "request_sample":
        from headwater.catalogue.samples import request_sample

        return request_sample
    if name == "catalogue":
        # The package, which can be called.
        return import_module("headwater.catalogue")
    raise AttributeError(f"module 'headwater' has no attribute {name!r}")
