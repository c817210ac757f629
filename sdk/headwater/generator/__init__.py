"""The shared generator: its networks, fit, local training, sampling and form on disk. torch lives here."""
