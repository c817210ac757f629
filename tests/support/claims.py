"""What a private run of three rounds claims, for tests of releases."""

from functools import cache

from headwater.privacy.budget import Budget
from headwater.privacy.events import NoisyCounts
from headwater.release.privacy_claim import ChargedRound, PrivacyClaim

__all__ = ["BUDGET", "charged", "make_claim"]

BUDGET = Budget(epsilon=1.0)

_ROUNDS = (("columns", 2680, 15), ("label", 1668, 14), ("pairs", 2168, 91))


def charged(number: int, step: str, variance: int, tables: int, *, completed: bool = True) -> ChargedRound:
    """A round over records."""
    return ChargedRound(round=number, step=step, completed=completed, event=NoisyCounts(variance, tables))


@cache
def make_claim(*, schema_confirmed: bool = True, disjoint_people: bool = False) -> PrivacyClaim:
    """ε = 0.9995 of a budget of 1, as the accountant finds it."""
    rounds = (charged(number, *values) for number, values in enumerate(_ROUNDS, start=1))
    return PrivacyClaim.of(
        BUDGET,
        rounds,
        accountant="privacy loss distributions, dp-accounting 0.6.0",
        schema_confirmed=schema_confirmed,
        disjoint_people=disjoint_people,
    )
