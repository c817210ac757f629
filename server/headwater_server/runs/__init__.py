"""Runs: what drives one from its first sum to its generator, and what is kept of it."""
