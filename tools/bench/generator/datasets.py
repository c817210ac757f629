"""The public tables that a benchmark reads: their files, targets and partitions."""

import pathlib
from dataclasses import dataclass

__all__ = ["DATASETS", "Dataset", "find_folder"]

_USUAL = pathlib.Path(__file__).parents[3].parent / "shared" / "data"


@dataclass(frozen=True)
class Dataset:
    """One table (UCI, CC BY 4.0).

    Attributes:
        title: as reports name it.
        file: its name in the folder.
        target: the column that a model predicts.
        natural: a partition by a column of its own, as organisations might differ; None where no column says so.
    """

    title: str
    file: str
    target: str
    natural: str | None = None


DATASETS = {
    "adult": Dataset("Adult", "adult.csv", "income", "column:occupation"),
    "credit": Dataset("credit", "credit.csv", "default", "column:EDUCATION"),
    "diabetes130": Dataset("diabetes130", "diabetes130.csv.gz", "readmitted", "column:medical_specialty"),
    "magic": Dataset("magic", "magic.csv", "class"),
}


def find_folder(given: pathlib.Path | None) -> pathlib.Path:
    """The folder with the tables: the one given, or `shared/data` beside the repository.

    Raises:
        SystemExit: there is no such folder.
    """
    folder = _USUAL if given is None else given
    if not folder.is_dir():
        raise SystemExit(f"error: there is no folder {folder}; say DATA=FOLDER with adult.csv and others (UCI)")
    return folder.resolve()
