"""What one organisation contributes to a round, and what the coordinator computes between rounds.

`contribute` and `execute` are each one implementation, called by the deployed processes and by simulation alike.
"""
