"""What right guesses about coins say of a privacy parameter: the law of one-run audits."""

import math

import numpy as np

from headwater.errors import InputError

__all__ = ["epsilon_of_guesses", "p_of_guesses"]

_LARGEST_EPSILON = 200.0
_HALVINGS = 60


def p_of_guesses(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Largest probability of so many right guesses under any (ε, δ)-differentially private mechanism.

    Each canary was included by a fair coin of its own, and whoever guesses sees the mechanism's output, chooses which
    coins to guess, and does not see the coins. With W ~ Binomial(r, e^ε / (1 + e^ε)):

        P(right >= v) <= P(W >= v) + 2 m δ max over i >= 1 of (P(W >= v - i) - P(W >= v)) / i

    Args:
        canaries: m, all whose coins were thrown, guessed or not.
        guesses: r, at most m.
        right: v, at most r.
        epsilon: ε >= 0 of the null hypothesis, for adding or removing one canary.
        delta: δ of the null hypothesis, 0 to 1.

    Returns:
        A p-value of "the mechanism is (ε, δ)-differentially private".

    Raises:
        InputError: not 0 <= v <= r <= m, ε is negative or δ outside 0 to 1.

    Source: Steinke, Nasr and Jagielski 2023 (arXiv:2305.08846), theorem 5.2.
    """
    from scipy.special import betainc

    if not 0 <= right <= guesses <= canaries or not epsilon >= 0 or not 0 <= delta <= 1:
        raise InputError(
            f"{right} right of {guesses} guesses on {canaries} canaries at ε {epsilon:g} and δ {delta:g} cannot be; "
            "give right <= guesses <= canaries, ε >= 0 and δ from 0 to 1"
        )
    if not right:
        return 1.0
    rate = 1 / (1 + math.exp(-epsilon))
    # P(W >= j) for j = right, ..., 1, by the incomplete beta function; P(W >= 0) = 1.
    counts = np.arange(right, 0, -1, dtype=np.float64)
    tails = np.append(betainc(counts, guesses - counts + 1, rate), 1.0)
    # For i > v the numerator stays as it is and i grows, so i <= v is enough.
    slope = float(((tails[1:] - tails[0]) / np.arange(1, right + 1)).max()) if delta else 0.0
    return min(1.0, float(tails[0]) + 2 * canaries * delta * max(slope, 0.0))


def epsilon_of_guesses(canaries: int, guesses: int, right: int, delta: float, confidence: float = 0.95) -> float:
    """Lower bound on ε: no mechanism of a smaller ε at this δ gives so many right guesses that often.

    Args:
        canaries, guesses, right, delta: as `p_of_guesses`.
        confidence: of the bound, 0 to 1.

    Returns:
        ε >= 0; 0 where the guesses say nothing.

    Raises:
        InputError: as `p_of_guesses`.
    """
    level = 1 - confidence
    if p_of_guesses(canaries, guesses, right, 0.0, delta) >= level:
        return 0.0
    low, high = 0.0, _LARGEST_EPSILON
    # The p-value grows with ε up to 1, which it has reached at the upper end whatever the counts.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if p_of_guesses(canaries, guesses, right, middle, delta) < level:
            low = middle
        else:
            high = middle
    return low
