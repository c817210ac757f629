"""A critic's step under differential privacy: clipped per-record gradients, summed as integers."""
