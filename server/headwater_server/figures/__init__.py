"""Plots of synthetic rows: what is shown of a column, and how it is drawn."""
