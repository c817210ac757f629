"""What a release may hold beside its rows: rows drawn in other ways, and the generator itself."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import InputError, ReleaseRefused
from headwater.release.large import LARGE, check_footers, link_shards, read_footer
from headwater.release.layout import DATA, GENERATOR
from headwater.release.manifest import Configuration, GeneratorTerms
from headwater.release.rows import write_rows
from headwater.schema.table import Table

__all__ = ["NO_EXTRAS", "ReleaseExtras"]


@dataclass(frozen=True)
class ReleaseExtras:
    """Files beside data.parquet, ready to be copied into a release.

    Attributes:
        configurations: each entry of the manifest with its rows: a table, or a Parquet file that is copied as it is,
            so that what was audited is what is published. Of configuration "large" the folder of its files, which get
            a second name in the release and are not copied.
        generator: the folder of a bundle, with bundle.json in it, that is copied to generator/; None where it stays.
        terms: what readers may have of the generator; "released" exactly where there is a bundle.

    Raises:
        InputError: terms and bundle contradict each other, or a configuration stands twice.
    """

    configurations: tuple[tuple[Configuration, Table | pa.Table | Path], ...] = ()
    generator: Path | None = field(default=None)
    terms: GeneratorTerms = "kept"

    def __post_init__(self) -> None:
        """Check what the manifest would refuse, before anything is written."""
        if (self.generator is None) != (self.terms != "released"):
            raise InputError("a generator's bundle is given exactly where its terms are 'released'; give both or none")
        names = [configuration.name for configuration, _ in self.configurations]
        if len(set(names)) != len(names):
            raise InputError("a configuration stands twice in a release; give each once")

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write everything into a release folder.

        Args:
            folder: the release's own, with data.parquet; other files must not be there yet.

        Returns:
            Paths of what was written, inside the folder.

        Raises:
            InputError: a file has other rows than its entry says, or the bundle's folder holds folders or no bundle.
            OSError: the disk is full, or a file cannot be read.
        """
        written: list[str] = []
        for configuration, rows in self.configurations:
            if configuration.name == LARGE:
                written += self._link(configuration, rows, folder)
                continue
            target = folder / configuration.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(rows, Path):
                shutil.copyfile(rows, target)
            else:
                write_rows(rows, target)
            if (held := pq.read_metadata(target).num_rows) != configuration.rows:
                raise InputError(
                    f"configuration {configuration.name} has {held:,} rows, its entry says {configuration.rows:,}"
                )
            written.append(configuration.path)
        if self.generator is not None:
            written += self._copy_generator(self.generator, folder / GENERATOR)
        return tuple(written)

    @staticmethod
    def _link(configuration: Configuration, rows: Table | pa.Table | Path, folder: Path) -> tuple[str, ...]:
        if not isinstance(rows, Path):
            raise InputError("configuration large is given as the folder of its files; draw them there")
        paths = link_shards(rows, folder)
        try:
            footers = {path: read_footer(folder / path, path) for path in paths}
            check_footers(footers, read_footer(folder / DATA, DATA).schema, configuration.rows)
        except ReleaseRefused as error:
            raise InputError(f"very many rows cannot be released: {error}") from error
        return paths

    def _copy_generator(self, bundle: Path, target: Path) -> list[str]:
        files = sorted(bundle.iterdir()) if bundle.is_dir() else []
        if "bundle.json" not in {file.name for file in files}:
            raise InputError(f"{bundle.name} holds no bundle.json; give the folder of a generator's bundle")
        target.mkdir()
        for file in files:
            if file.is_symlink() or not file.is_file():
                raise InputError(f"{file.name} in {bundle.name} is no plain file; a bundle holds plain files only")
            shutil.copyfile(file, target / file.name)
        return [f"{GENERATOR}/{file.name}" for file in files]


NO_EXTRAS = ReleaseExtras()
"""Nothing beside the rows, and the generator stays with the coordinator."""
