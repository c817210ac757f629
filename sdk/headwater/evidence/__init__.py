"""What was found about a release candidate: measures with their intervals, pure and without a row."""
