"""Differential privacy: noise, what it costs, and how that is said."""
