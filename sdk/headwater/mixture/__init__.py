"""Mixtures fitted by secure sums: products of categorical distributions and a Gaussian, and federated EM over them."""
