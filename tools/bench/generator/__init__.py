"""Measures what generators of simulated consortia are worth, and what they cost."""
