"""Rows on the operator's request, drawn from a finished generator."""
