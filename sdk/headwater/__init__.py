"""Headwater: organisations that may not pool their records make one synthetic dataset together.

The SDK's top level loads no torch, no flwr and no grpc; heavy parts are imported from their own rooms.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
