"""What is kept of a run for people: progress in storage and as JSON lines, health as a plot."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from headwater.errors import StorageError
from headwater_server.figures.climb import draw_climb
from headwater_server.storage import Storage

__all__ = ["RunRecorder", "draw_health"]

Record = Mapping[str, object]

_SECONDS = "seconds"


class RunRecorder:
    """Writes each record to storage, where `run status` reads it, and to the run's own folder."""

    def __init__(self, storage: Storage, run_id: str, folder: Path) -> None:
        """Write into `folder`, which is made when the first record comes."""
        self._storage = storage
        self._run_id = run_id
        self._folder = folder

    def add(self, record: Record) -> None:
        """Append one record.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        self._storage.add_progress(self._run_id, record)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / "progress.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def add_once(self, record: Record) -> None:
        """Append one record, unless it is the last one already.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        if [last for _, last in self._storage.progress(self._run_id)][-1:] != [record]:
            self.add(record)

    def restore(self) -> None:
        """Write the folder's copy of the records anew where a crash or a full disk cut it short.

        Raises:
            StorageError: the database or the disk did not do it.
        """
        file = self._folder / "progress.jsonl"
        records = self._storage.progress(self._run_id)
        data = "".join(json.dumps(record) + "\n" for _, record in records).encode()
        try:
            if data and (not file.is_file() or file.read_bytes() != data):
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                whole = self._folder / ".progress.jsonl"
                whole.write_bytes(data)
                os.replace(whole, file)
        except OSError as error:
            raise self._unwritten(error) from error

    @property
    def steps(self) -> int:
        """How many of the recipe's steps are recorded."""
        return sum(_SECONDS in record for _, record in self._storage.progress(self._run_id))

    def add_step(self, record: Record, seconds: float) -> None:
        """Append a record of the recipe's history, with the time that the step took.

        Raises:
            StorageError: the database or the disk did not take it.
        """
        self.add({**record, _SECONDS: round(seconds, 3)})

    def draw(self) -> None:
        """Draw the health so far as `health.svg`, for the run page and people.

        Raises:
            StorageError: the disk did not take it.
        """
        records = [record for _, record in self._storage.progress(self._run_id)]
        try:
            draw_health(records, self._folder / "health.svg")
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> StorageError:
        return StorageError(f"{self._folder} cannot be written: {error.strerror}; make room")


def draw_health(records: Sequence[Record], path: Path) -> None:
    """Draw marginal loss and health signals by step, or a mixture's climb; nothing is drawn before there is a model.

    Args:
        records: a recipe's history, in order; those with "health" are drawn, or those of kind "expectation".
        path: SVG to write.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    models = [record for record in records if isinstance(record.get("health"), Mapping)]
    if not models:
        draw_climb([record for record in records if record.get("kind") == "expectation"], path)
        return
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    loss, health = figure.subplots(1, 2)
    steps = [int(str(record.get("round", 0))) for record in models]
    taken = [record.get("accepted", True) for record in models]
    values = [float(str(record["marginal_loss"])) for record in models]
    loss.plot(steps, values, color="#0b6e69", linewidth=1.5)
    loss.scatter(steps, values, c=["#0b6e69" if each else "#b3261e" for each in taken], zorder=3)
    # A merge that broke has no finite distance; it is left out of the scale.
    top = 1.15 * max((value for value in values if math.isfinite(value)), default=1.0)
    loss.set(title="Distance from the summed marginals", xlabel="training round (0: the fit)", ylim=(0, top))
    if not all(taken):
        loss.annotate("red: not taken", (0.98, 0.94), xycoords="axes fraction", ha="right", color="#b3261e")
    styles = {"entropy_ratio": "-", "duplicates": "--", "tvd1": ":", "top_share_gap": "-."}
    for name, style in styles.items():
        # A merge that broke has no health; the line has a gap there.
        series = [float(record["health"].get(name, math.nan)) for record in models]  # type: ignore[attr-defined]
        health.plot(steps, series, style, label=name.replace("_", " "), linewidth=1.5, marker=".")
    health.set(title="Health", xlabel="training round (0: the fit)", ylim=(0, 1.1))
    health.legend(frameon=False, fontsize=8)
    for axes in (loss, health):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path, format="svg", metadata={"Date": None})
