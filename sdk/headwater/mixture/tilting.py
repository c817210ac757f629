"""Tilt a fitted mixture to the counted pairs of columns, as far as the likelihood attack allows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import Subset
from headwater.errors import InputError
from headwater.mixture.attack import likelihood_attack, mean_of_histogram
from headwater.mixture.expectation import SPAN_DRAWS, Statistics, spanned
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.raking import Raking
from headwater.mixture.sampling import Draws
from headwater.mixture.settings import MixtureSettings

__all__ = ["Tilting", "is_tilt"]

F64 = NDArray[np.float64]
Record = dict[str, object]

_DRAWS_A_ROW = 8
_LEAST_DRAWS = 20_000


def is_tilt(record: Mapping[str, object]) -> bool:
    """Whether a round in a run's history was one of a tilt, and not of the climb before."""
    return "tolerance" in record


class Tilting:
    """Which tilt to ask the attack of next, and which mixture is taken in the end. Pure.

    What a mixture may remember can go into components or into a tilt, and a tilt puts more right. So the highest rung
    is taken whose loosest tilt is within the plan's limit; from there tolerances become stricter as long as the attack
    allows. Where no rung's tilt is, the highest rung stands as it is; so it does where it puts the pairs right already,
    since kept draws lose their strata.
    """

    def __init__(
        self,
        rungs: Sequence[Mixture],
        encoding: Encoding,
        tables: Mapping[Subset, F64],
        rows: int,
        settings: MixtureSettings,
        seed: int,
    ) -> None:
        """Draw from the highest rung and find its first tilt.

        Args:
            rungs: mixtures without a tilt, the highest first; one at least. Each was within the limit, but for the
                lowest of a climb, which stands whatever it shows.
            encoding: with its counts.
            tables: summed counts of pairs of columns; none end it at once.
            rows: training rows that were counted.
            settings: of the plan.
            seed: public.
        """
        self._rungs = tuple(rungs)
        self._encoding = encoding
        self._tables = tables
        self._rows = rows
        self._settings = settings
        self._seed = seed
        self._standing = self._rungs[0]
        self._rung, self._step = 0, 0
        self._asked = self._standing
        self._over = not (tables and settings.tilt_tolerances)
        if not self._over:
            self._begin_rung()
            self._over = self._raking.excess(settings.tilt_tolerances[0]) < settings.tilt_excess
        if not self._over:
            self._asked = self._tilted()

    @property
    def over(self) -> bool:
        """Whether no tilt is left to ask for."""
        return self._over

    @property
    def asked(self) -> Mixture:
        """The tilted mixture whose statistics are wanted."""
        return self._asked

    @property
    def standing(self) -> Mixture:
        """The mixture that is taken.

        Raises:
            InputError: tilting is not over.
        """
        if not self._over:
            raise InputError("a tilt is still asked for, none stands yet; go on with its rounds")
        return self._standing

    def add(self, statistics: Statistics) -> Record:
        """Take the summed statistics of `asked`; returns what the history says of them."""
        attack = likelihood_attack(statistics.train, statistics.validation)
        tilt = self._asked.tilt
        record: Record = {
            "tolerance": self._settings.tilt_tolerances[self._step],
            "acceptance": round(1.0 if tilt is None else tilt.acceptance, 4),
            "components": self._asked.components,
            "log_density": round(statistics.density / max(int(statistics.train.sum()), 1), 5),
            "validation_log_density": round(mean_of_histogram(statistics.validation, self._asked.span), 5),
            "attack_auc": round(attack.auc, 5),
            **attack.verdict(self._settings.attack_limit),
        }
        if attack.within(self._settings.attack_limit):
            self._standing = self._asked
            self._step += 1
            self._over = self._step == len(self._settings.tilt_tolerances)
            if not self._over:
                self._asked = self._tilted()
        elif self._step or self._rung + 1 == len(self._rungs):
            self._over = True
        else:
            self._rung += 1
            self._begin_rung()
            self._asked = self._tilted()
        return record

    def end(self) -> None:
        """Ask for no further tilt: the last that passed stands, the highest rung where none did."""
        self._over = True

    def _begin_rung(self) -> None:
        mixture, random = self._rungs[self._rung], np.random.default_rng([self._seed, self._rung])
        draws = Draws(mixture)
        wished = min(max(_LEAST_DRAWS, _DRAWS_A_ROW * self._rows), self._settings.tilt_draws)

        def drawn(rows: int) -> RowFeatures:
            plain = draws.features(draws.components(rows, random), random)
            # Densities are those of the Gaussians, where scores are not calibrated; codes are those of decoded rows.
            return replace(plain, codes=mixture.form.codes(draws.calibrated(plain), self._encoding))

        self._sample = drawn(SPAN_DRAWS)
        self._raking = Raking(lambda: drawn(wished).codes, self._encoding.sizes, self._tables, self._rows)

    def _tilted(self) -> Mixture:
        tilt = self._raking.tighten(self._settings.tilt_tolerances[self._step])
        tilted = replace(self._rungs[self._rung], tilt=tilt)
        return spanned(tilted, self._sample)
