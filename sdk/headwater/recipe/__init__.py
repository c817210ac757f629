"""What a run asks, round by round: pure code, sums in, the next task or the model out."""
