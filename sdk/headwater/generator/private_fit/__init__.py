"""Fit a mixture to noisy marginals: post-processing of what differential privacy has paid for."""

from headwater.generator.private_fit.fit import PrivateFit, fit_private

__all__ = ["PrivateFit", "fit_private"]
