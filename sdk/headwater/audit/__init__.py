"""Attacks on a release candidate, one a file, each counted where the real rows are."""
