"""Canaries: rows planted by a committed secret, and what the release tells of them."""
