"""Documents on which a consortium agrees: the charter, the plan of a run, and each member's decision on it."""
