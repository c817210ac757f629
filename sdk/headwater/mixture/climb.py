"""The climb: EM on one rung after the other, as far up as the likelihood attack allows."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.attack import AttackResult, likelihood_attack, mean_of_histogram
from headwater.mixture.expectation import SPAN_DRAWS, Statistics, spanned
from headwater.mixture.form import Form
from headwater.mixture.maximisation import maximise
from headwater.mixture.parameters import Mixture
from headwater.mixture.sampling import Draws
from headwater.mixture.settings import MixtureSettings
from headwater.mixture.start import components_of_classes, first_mixture, split_components
from headwater.mixture.vector import components_within

__all__ = ["Climb"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Record = dict[str, object]

# Rounds of EM make rows likelier, but for what the priors cost; honest climbs on Adult, magic and credit never fell.
_MOST_FALL = 0.05


class Climb:
    """Which mixture to ask for statistics of next, and which one is taken in the end. Pure.

    A rung has so many components for its rows. EM runs on it until the log-density stops to rise; the last sum of a
    rung shows the attack on the mixture that it was taken under. Passed, this mixture stands, and its M-step, with
    its heaviest components split, begins the next rung; failed, the rung below stands. The lowest rung, with more than
    a thousand rows to a component by default, stands whatever it shows, since something must: its history says so.
    """

    def __init__(
        self,
        form: Form,
        unit_counts: Sequence[F64],
        class_counts: Sequence[float],
        settings: MixtureSettings,
        seed: int,
        budget: int,
    ) -> None:
        """Begin below the first rung.

        Args:
            form: what a row is.
            unit_counts: summed 1-way counts of each unit.
            class_counts: summed rows of each class.
            settings: of the plan.
            seed: public.
            budget: most integers of one round's statistics.
        """
        self._settings = settings
        self._seed = seed
        most = min(settings.components, components_within(form, budget))
        wished = [components_of_classes(class_counts, rows, most) for rows in settings.rows_per_component]
        # Small tables come to the same number on several rungs; one climb of each is enough.
        self._rungs = [
            counts for place, counts in enumerate(wished) if not place or counts.sum() > wished[place - 1].sum()
        ]
        self._rung = 0
        self._rounds = 0
        self._density = -np.inf
        self._current = self._spanned(first_mixture(form, unit_counts, self._rungs[0], self._random("first")))
        self._summed_rows = 0
        self._passed: list[Mixture] = []
        self._standing_density = -np.inf
        self._seen = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the climb has ended."""
        return self._over

    @property
    def passed(self) -> bool:
        """Whether a rung stands already, should the climb end now."""
        return bool(self._passed)

    @property
    def asked(self) -> Mixture:
        """The mixture whose statistics are wanted."""
        return self._current

    @property
    def standing(self) -> Mixture:
        """The mixture that is taken.

        Raises:
            InputError: the climb is not over.
        """
        return self.rungs[0]

    @property
    def rungs(self) -> tuple[Mixture, ...]:
        """The mixture that is taken, then those of the rungs below it.

        Raises:
            InputError: the climb is not over.
        """
        if not self._passed or not self._over:
            raise InputError("the climb is not over, no mixture stands yet; go on with its rounds")
        return tuple(reversed(self._passed))

    @property
    def seen(self) -> tuple[I64, I64]:
        """Training and validation rows by log-density under the highest rung that passed; empty before."""
        return self._seen

    def fallen(self, statistics: Statistics) -> bool:
        """Whether rows are so much less likely than before that this sum, or the one before, cannot be honest.

        A round of EM makes the rows of its own sum likelier, and a rung with more components ends no lower than the
        one below. A lie about how rows share out among the components of a class changes no total; it shows here.

        Args:
            statistics: summed, of `asked`.
        """
        rows = int(statistics.train.sum())
        density = statistics.density / max(rows, 1)
        if self._summed_rows not in (0, rows):
            # Organisations came or went: these are the densities of other rows.
            return False
        if density < self._density - _MOST_FALL:
            return True
        # Components that were just split need a round or two to find their places again.
        settled = self._rounds >= 2 and self._ends_rung(density)
        return settled and density < self._standing_density - _MOST_FALL

    def add(self, statistics: Statistics) -> Record:
        """Take the summed statistics of `asked`; returns what the history says of them."""
        rows = max(int(statistics.train.sum()), 1)
        density = statistics.density / rows
        attack = likelihood_attack(statistics.train, statistics.validation)
        record: Record = {
            "rung": self._rung + 1,
            "components": self._current.components,
            "log_density": round(density, 5),
            "validation_log_density": round(mean_of_histogram(statistics.validation, self._current.span), 5),
            "attack_auc": round(attack.auc, 5),
        }
        if self._summed_rows not in (0, rows):
            self._standing_density = -np.inf
        ends, self._density, self._summed_rows = self._ends_rung(density), density, rows
        self._rounds += 1
        if ends:
            record |= self._end_rung(statistics, attack)
        else:
            self._current = self._spanned(maximise(self._current, statistics, self._settings))
        return record

    def end(self) -> None:
        """Climb no further: the highest rung that passed stands.

        Raises:
            InputError: none has.
        """
        if not self._passed:
            raise InputError("no rung stands yet, so the climb cannot end on one; begin a new run")
        self._over = True

    def _ends_rung(self, density: float) -> bool:
        """Whether the round that found this mean log-density is its rung's last."""
        rounds, gain = self._rounds + 1, density - self._density
        return rounds >= self._settings.rounds or (rounds > 2 and gain < self._settings.least_gain)

    def _end_rung(self, statistics: Statistics, attack: AttackResult) -> Record:
        passed = attack.within(self._settings.attack_limit)
        if passed or not self._passed:
            self._passed.append(self._current)
            self._standing_density = self._density
            self._seen = (statistics.train, statistics.validation)
        self._over = not passed or self._rung + 1 == len(self._rungs)
        if not self._over:
            self._rung += 1
            self._rounds, self._density = 0, -np.inf
            better = maximise(self._current, statistics, self._settings)
            random = self._random("split", self._rung)
            self._current = self._spanned(split_components(better, self._rungs[self._rung], random))
        return attack.verdict(self._settings.attack_limit)

    def _random(self, *purpose: object) -> np.random.Generator:
        text = "/".join(["headwater", "mixture", str(self._seed), *map(str, purpose)])
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))

    def _spanned(self, mixture: Mixture) -> Mixture:
        """The mixture with bins for its log-densities where its own draws lie."""
        random = self._random("span", self._rung, self._rounds)
        draws = Draws(mixture)
        return spanned(mixture, draws.features(draws.components(SPAN_DRAWS, random), random))
