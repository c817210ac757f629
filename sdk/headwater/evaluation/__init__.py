"""How a synthetic table is judged against real rows."""
