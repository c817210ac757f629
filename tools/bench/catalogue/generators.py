"""The generators that the benchmark draws from, fitted as runs fit them, and the table that they are fitted to."""

import functools
import pathlib
from collections.abc import Mapping, Sequence

import pyarrow.csv

from catalogue.dataset import made_table
from generator.datasets import DATASETS, find_folder
from generator.rows import REFINED
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import read_sampler
from headwater.recipe.machine import build_recipe
from headwater.recipe.settings import RecipeKind
from headwater.schema.writing import write_csv
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.simulation.inputs import SimulationInputs, read_inputs

__all__ = ["GENERATORS", "Generators"]

GENERATORS: Mapping[str, tuple[RecipeKind, Sequence[str]]] = {
    "mixture": ("mixture", ()),
    # Its network moves and its critic weighs every draw, even where a run would release the base alone.
    "hybrid": ("hybrid", REFINED),
    # The same with less training, which costs as much to draw from.
    "hybrid-soon": ("hybrid", (*REFINED, "recipe.adversarial.rounds=1")),
}
"""Name → recipe, and settings in place of the plan's."""

_ORGANISATIONS = 5


class Generators:
    """Bundles in a folder, each fitted when it is first asked for."""

    def __init__(self, data: pathlib.Path | None, folder: pathlib.Path) -> None:
        """Fit to adult.csv in `data`, by default in shared/data beside this; where there is none, to made rows."""
        self._data, self._folder = data, folder
        self._made: dict[str, pathlib.Path] = {}

    @functools.cached_property
    def table(self) -> tuple[pathlib.Path, str, str]:
        """The CSV, the column that models predict, and the table in words.

        Raises:
            SystemExit: a folder was named that is not there or has no adult.csv.
        """
        adult = DATASETS["adult"]
        try:
            file = find_folder(self._data) / adult.file
        except SystemExit:
            if self._data is not None:
                raise
        else:
            if file.is_file():
                return file, adult.target, adult.title
            if self._data is not None:
                raise SystemExit(f"error: {file} is not there; say DATA=FOLDER with it, or nothing for made rows")
        made = self._folder / "made.csv"
        write_csv(made_table(), made)
        return made, "ward_0", "a made table"

    @functools.cached_property
    def train(self) -> pathlib.Path:
        """The rows that ours is fitted to, as CSV."""
        file = self._folder / "train.csv"
        pyarrow.csv.write_csv(self._inputs("mixture").train, file)
        return file

    def bundle(self, name: str) -> pathlib.Path:
        """Folder of a generator of `GENERATORS`.

        Raises:
            HeadwaterError: the table cannot be read.
        """
        if name not in self._made:
            inputs = self._inputs(name)
            done = drive(build_recipe(inputs.plan), LocalEngine(inputs.parts, inputs.plan), Silent(), Cost())
            folder = self._folder / f"bundle-{name}"
            Bundle(read_sampler(done.model), done.encoding).save(folder)
            self._made[name] = folder
        return self._made[name]

    def _inputs(self, name: str) -> SimulationInputs:
        file, target, _ = self.table
        recipe, changes = GENERATORS[name]
        return read_inputs(file, target, _ORGANISATIONS, "iid", recipe=recipe, seed=1, changes=changes)
