"""Attacks that ask of a row whether the generator was fitted to it, one a file."""
