"""The app object that the Flower bundle names: `headwater_client.app:app`."""

from headwater_client.flower.client_app import app

__all__ = ["app"]
