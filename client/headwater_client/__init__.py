"""The partner organisation: its rows, keys, policy and part in a run."""
