"""The coordinator that a consortium runs."""
