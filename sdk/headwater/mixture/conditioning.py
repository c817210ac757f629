"""Draw rows of a mixture that satisfy a condition, as rejection would leave them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.allowed import AllowedCodes
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.mixture.ranges import RangedScores
from headwater.mixture.sampling import Draws, pick_components, stacked_shares
from headwater.mixture.tilt import Tilt
from headwater.schema.condition import Condition
from headwater.schema.table import Table

__all__ = ["ConditionedMixture", "Proposals", "pick_units", "too_few_rows"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

_CHUNK = 8192
_PILOT = 16_384


@dataclass(slots=True)
class Proposals:
    """How many rows were begun, and how many of them satisfied the condition."""

    begun: int = 0
    taken: int = 0

    @property
    def acceptance(self) -> float:
        """Share of what was begun that was taken; 1 before the first."""
        return self.taken / self.begun if self.begun else 1.0


def too_few_rows(begun: int, done: int, wanted: int) -> InputError:
    """The error of a condition that was not met often enough."""
    return InputError(
        f"of {begun:,} rows begun {done:,} satisfied the condition, {wanted:,} are needed; widen it, or allow more "
        "proposals"
    )


class ConditionedMixture:
    """A mixture given a condition on some columns.

    Component and units are drawn from their exact posterior. Of the score columns with a range, the rarest is part of
    that posterior and drawn from its truncated normal; each further one is drawn from its own truncated normal given
    those before, and the row is kept with the probability of that range.

    Guarantee: every row satisfies the condition; other columns are distributed as in rows of the mixture that happen to
    satisfy it, up to the 1e-8 of `headwater.mixture.normal`.
    Source: Geweke 1991, Hajivassiliou & McFadden 1998 (GHK) for the sequence; its weights serve as acceptance here.
    """

    def __init__(self, mixture: Mixture, encoding: Encoding, condition: Condition) -> None:
        """Work out the posterior; `share` is the share of the mixture's rows that satisfy the condition.

        Raises:
            InputError: the encoding is of another mixture.
        """
        if mixture.form.sizes != encoding.sizes:
            raise InputError("the mixture's columns are not the encoding's; they do not belong together")
        self._mixture, self._encoding = mixture, encoding
        self._draws = Draws(mixture)
        self._coded = {place: AllowedCodes(encoding, place, allowed) for place, allowed in condition.columns.items()}
        self._ranges = RangedScores.of(mixture, self._draws, self._coded)
        self._condition_units()
        self.share = self._first_share()

    @property
    def rejects(self) -> bool:
        """Whether rows may be begun in vain: with ranges on two scores or more, or a tilt."""
        return self._ranges.rejects or self._mixture.tilt is not None

    def tables(self, rows: int, random: np.random.Generator, most: int, tally: Proposals) -> Iterator[Table]:
        """Yield rows until there are `rows`.

        Args:
            rows: how many.
            random: the only source of chance.
            most: rows to begin at most.
            tally: counts what was begun and taken.

        Raises:
            InputError: `most` rows were begun and too few satisfied the condition.
        """
        done, begun = 0, 0
        while done < rows:
            if begun >= most or not self.share:
                raise too_few_rows(begun, done, rows)
            # One range at most: every row is taken, none is begun in vain.
            batch = _CHUNK if self.rejects else min(_CHUNK, rows - done)
            drawn = self._tilted(self._features(batch, random), random)
            begun, tally.begun = begun + batch, tally.begun + batch
            kept = min(len(drawn.features.classes), rows - done)
            tally.taken += len(drawn.features.classes)
            if kept:
                yield self._table(drawn.take(slice(kept)), random)
            done += kept

    def _condition_units(self) -> None:
        """Shares of each conditioned unit cut to what is allowed, and each component's part that is left."""
        mixture, form = self._mixture, self._mixture.form
        weights = mixture.weights.copy()
        if form.label is not None and form.label in self._coded:
            weights = weights * self._coded[form.label].codes[mixture.classes]
        self._tables: list[F64] = []
        for unit, (start, end) in enumerate(zip(form.offsets[:-1], form.offsets[1:], strict=True)):
            shares = mixture.shares[:, start:end]
            allowed = self._allowed_units(unit)
            if allowed is not None:
                shares = shares * allowed
                weights = weights * shares.sum(axis=1)
            self._tables.append(stacked_shares(shares))
        for place in self._ranges.unstated_first:
            weights = weights * self._ranges.chances[place]
        self._weights = weights

    def _allowed_units(self, unit: int) -> F64 | None:
        """Chance that each outcome of a unit is allowed, shape (1 or components, outcomes); None where all are."""
        form, groups, alone = self._mixture.form, len(self._mixture.form.groups), len(self._mixture.form.alone)
        if unit < groups:
            group = form.groups[unit]
            held = [(number, column) for number, column in enumerate(group.columns) if column in self._coded]
            if not held:
                return None
            chances = [self._coded[column].codes[group.combinations[:, number]] for number, column in held]
            allowed: F64 = np.prod(chances, axis=0)[None]
            return allowed
        if unit < groups + alone:
            column = form.alone[unit - groups]
            return self._coded[column].codes[None] if column in self._coded else None
        place = form.stated[unit - groups - alone]
        score = form.scores[place]
        if score.column not in self._coded:
            return None
        states = self._coded[score.column].codes[list(score.states)]
        known = self._ranges.known_chance(place)
        return np.concatenate([known[:, None], np.tile(states, (len(known), 1))], axis=1)

    def _first_share(self) -> float:
        share = float(self._weights.sum())
        if share > 0 and self.rejects:
            drawn, tilt = self._features(_PILOT, np.random.default_rng(0)), self._mixture.tilt
            through = float(len(drawn.features.classes))
            if tilt is not None:
                # Of the tilted mixture's rows: a draw counts by its factor, in units of the factors' mean.
                through = float(self._chances(drawn, tilt).sum()) / tilt.acceptance
            # Half a row where none came through: a share is estimated, not disproved, by a pilot.
            share = min(share * max(through, 0.5) / _PILOT, 1.0)
        return share

    def _features(self, batch: int, random: np.random.Generator) -> "_Drawn":
        mixture = self._mixture
        components = pick_components(self._weights, random.random(batch))
        units = np.empty((batch, len(self._tables)), np.int32)
        for unit, table in enumerate(self._tables):
            units[:, unit] = pick_units(table, components, random.random(batch))
        known = np.ones((batch, len(mixture.form.scores)), np.bool_)
        start = len(mixture.form.unit_sizes) - len(mixture.form.stated)
        for number, place in enumerate(mixture.form.stated):
            known[:, place] = units[:, start + number] == 0
        kept, scores, pieces = self._ranges.draw(components, known, random)
        features = RowFeatures(mixture.classes[components[kept]], units[kept], scores)
        return _Drawn(self._draws.calibrated(features), known[kept], pieces)

    def _tilted(self, drawn: "_Drawn", random: np.random.Generator) -> "_Drawn":
        """The rows that a tilt keeps."""
        tilt = self._mixture.tilt
        if tilt is None:
            return drawn
        return drawn.take(random.random(len(drawn.features.classes)) < self._chances(drawn, tilt))

    def _chances(self, drawn: "_Drawn", tilt: Tilt) -> F64:
        """Chance that a tilt keeps each row."""
        codes = self._mixture.form.codes(drawn.features, self._encoding)
        chances: F64 = np.exp(tilt.log_factors(codes) - tilt.cap)
        return chances

    def _table(self, drawn: "_Drawn", random: np.random.Generator) -> Table:
        features, form = drawn.features, self._mixture.form
        table = form.table(features, self._encoding, random)
        columns = dict(table.columns)
        names = self._encoding.schema.names
        scored = {score.column: place for place, score in enumerate(form.scores)}
        for column, coded in self._coded.items():
            if column in scored:
                place = scored[column]
                if place in drawn.pieces:
                    # The last digits of an interpolation there and back may cross the range's end.
                    edges = np.asarray(coded.allowed.intervals)[drawn.pieces[place]]
                    inside = np.clip(columns[names[column]], edges[:, 0], edges[:, 1])
                    columns[names[column]] = np.where(drawn.known[:, place], inside, columns[names[column]])
            elif coded.splits:
                columns[names[column]] = coded.decode(self._codes(column, features), random)
        return Table(table.schema, columns, table.rows)

    def _codes(self, column: int, features: RowFeatures) -> I32:
        form = self._mixture.form
        if column == form.label:
            return features.classes
        for unit, group in enumerate(form.groups):
            if column in group.columns:
                combined: I32 = group.combinations[features.units[:, unit], group.columns.index(column)]
                return combined
        alone: I32 = features.units[:, len(form.groups) + form.alone.index(column)]
        return alone


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Rows before they are decoded.

    Attributes:
        features: their scores calibrated.
        known: whether each score counts, shape (rows, scores).
        pieces: for each ranged place, which of its intervals a row lies in.
    """

    features: RowFeatures
    known: NDArray[np.bool_]
    pieces: dict[int, I64]

    def take(self, rows: "slice | NDArray[np.bool_]") -> "_Drawn":
        """Some of the rows."""
        pieces = {place: values[rows] for place, values in self.pieces.items()}
        return _Drawn(self.features.take(rows), self.known[rows], pieces)


def pick_units(table: F64, components: I64, chance: F64) -> I32:
    """Outcomes of rows of given components.

    Args:
        table: of `stacked_shares`.
        components: shape (rows,).
        chance: 0 to 1, same shape: where in its component's cumulative shares each row falls.
    """
    # A component's own number plus a chance must stay below the next, or its last outcome with a share would be lost.
    found = np.searchsorted(table.reshape(-1), components + np.minimum(chance, 1.0 - 1e-12), side="right")
    units: I32 = np.clip(found - components * table.shape[1], 0, table.shape[1] - 1).astype(np.int32)
    return units
