"""Rows of one release in the form that a reader asks for: from the cache, downloaded whole, or read in parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.block_file import BlockFile, NoRanges
from headwater.catalogue.cache import DatasetCache
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.frames import Filters, Form, convert, dataset_of, joined, read_files, read_rows, require_form
from headwater.catalogue.refusals import WithdrawnRelease
from headwater.errors import InputError, ReleaseRefused
from headwater.release import FileEntry, Manifest
from headwater.release.blocks import BLOCKS_SUFFIX, blocks_entry, read_blocks
from headwater.release.large import LARGE, shard_paths
from headwater.release.layout import DATA, SCHEMA
from headwater.release.withdrawal import Withdrawal
from headwater.schema import BooleanColumn, CategoricalColumn, Schema

__all__ = [
    "PARTS_FROM_BYTES",
    "ConfigurationName",
    "Request",
    "has_kept",
    "load_kept",
    "load_release",
    "refuse_withdrawn",
    "refuse_withdrawn_release",
]

ConfigurationName = Literal["default", "balanced", "views", "large"]
"""data.parquet, or rows that the release has beside it; "large" are very many, in several files."""

PARTS_FROM_BYTES = 8 * 2**20
"""A smaller file is downloaded whole even where a part of it was asked for: one request, and it is there next time."""


@dataclass(frozen=True)
class Request:
    """What a reader asks for of a release.

    Attributes:
        config: which rows.
        form: of the answer.
        columns: to read; None for all.
        filters: which rows; None for all.
        allow_withdrawn: whether a copy in the cache is given although the consortium took the version back.
        remote: whether the file is read in parts over the network; None for what costs less.
        on_progress: told (bytes there, bytes in all) of a download.
    """

    config: ConfigurationName = "default"
    form: Form = "arrow"
    columns: Sequence[str] | None = None
    filters: "Filters | None" = None
    allow_withdrawn: bool = False
    remote: bool | None = None
    on_progress: Callable[[int, int], None] = lambda _done, _total: None

    def check(self) -> None:
        """Refuse what no release can answer, before anything is fetched.

        Raises:
            InputError: an unknown configuration or form, columns that are no list, or a library that is missing.
        """
        if self.config not in get_args(ConfigurationName):
            raise InputError(f"config={self.config!r} is none; choose one of {', '.join(get_args(ConfigurationName))}")
        if isinstance(self.columns, str):
            raise InputError(f"columns={self.columns!r} is one text; write columns=[{self.columns!r}]")
        if self.columns is not None and not self.columns:
            raise InputError("columns=[] names no column; leave it out for all of them")
        require_form(self.form)
        if self.form == "dataset" and (self.partial or self.remote):
            raise InputError(
                "as_='dataset' gives all rows to be scanned from the cache; leave out columns, filters and remote, and "
                "give them to its scanner: .to_batches(columns=…, filter=…)"
            )

    @property
    def partial(self) -> bool:
        """Whether less than all rows and columns are asked for."""
        return self.columns is not None or self.filters is not None


def load_kept(cache: DatasetCache, folder: Path, charter: Charter | CharterHistory, request: Request) -> Any:
    """Load from the cache alone, verified again.

    Args:
        cache: that has it.
        folder: of the version, which holds the rows asked for.
        charter: that it must be signed under.
        request: what of it.

    Raises:
        WithdrawnRelease: it is known to be withdrawn, and that is not allowed.
        ReleaseRefused: the copy is damaged or not what was signed.
    """
    with cache.held(folder):
        verification = cache.verify(folder, charter)
        if (said := cache.withdrawal(folder, charter)) is not None:
            refuse_withdrawn(said, request.allow_withdrawn, kept=True)
        cache.touch(folder)
        files = [folder / path for path in _paths_of(verification.manifest, request.config)]
        if request.form == "dataset":
            return dataset_of(files)
        table = read_files(files, request.columns, request.filters, parallel=True)
        return convert(table, request.form, lambda: _categories(folder))


def load_release(
    cache: DatasetCache, client: CatalogueClient, history: CharterHistory, name: str, version: int, request: Request
) -> Any:
    """Load a version from a catalogue, through the cache.

    Where a part of a large file is asked for, that part is read by ranges: each block of it is held to the signed list
    of digests before a byte of it is used. A release without such a list is downloaded whole.

    Raises:
        InputError: there is no such version, configuration or column.
        WithdrawnRelease: the consortium took the version back.
        ReleaseRefused: a signature, size or digest is wrong.
        TransportError: the catalogue could not be reached.
    """
    signed, _ = client.manifest(name, version, history)
    manifest = signed.manifest
    paths = _paths_of(manifest, request.config)
    entries = [entry for path in paths if (entry := manifest.file(path)) is not None]
    if len(entries) != len(paths):
        raise InputError(f"{name} version {version} has no file {paths[0]}; `headwater show {name}` lists what it has")
    folder = cache.folder(client.known.charter, name, version)
    if (notice := client.withdrawal(manifest, history)) is not None:
        said, data = notice
        cache.note_withdrawal(folder, data)
        refuse_withdrawn(said, request.allow_withdrawn, kept=cache.holds(folder, paths))
    elif (known := cache.withdrawal(folder, history, manifest)) is not None:
        # What was signed once stands, also where the catalogue shows it no longer.
        refuse_withdrawn(known, request.allow_withdrawn, kept=cache.holds(folder, paths))
    if not cache.holds(folder, paths):
        if _in_parts(manifest, entries, request):
            try:
                return _load_parts(cache, client, history, folder, entries, request)
            except NoRanges:
                pass
        cache.add(client, history, folder, paths, request.on_progress)
    return load_kept(cache, folder, history, request)


def refuse_withdrawn(said: Withdrawal, allowed: bool, *, kept: bool) -> None:
    """Refuse a version that the consortium took back, but for a copy that is there and wanted all the same.

    Raises:
        WithdrawnRelease: with the reason.
    """
    if allowed and kept:
        return
    instead = "" if said.replaced_by is None else f"; use version {said.replaced_by}"
    still = "; allow_withdrawn=True gives the copy in the cache all the same" if kept else ""
    raise WithdrawnRelease(
        f"{said.name} version {said.version} was withdrawn by the consortium on {said.withdrawn[:10]}: "
        f"{said.clause}{instead}{still}"
    )


def refuse_withdrawn_release(client: CatalogueClient, history: CharterHistory, name: str, version: int) -> None:
    """Refuse to download what the consortium took back.

    Raises:
        WithdrawnRelease: with the reason.
    """
    signed, _ = client.manifest(name, version, history)
    if (notice := client.withdrawal(signed.manifest, history)) is not None:
        refuse_withdrawn(notice[0], False, kept=False)


def _in_parts(manifest: Manifest, entries: Sequence[FileEntry], request: Request) -> bool:
    if request.remote is False or any(blocks_entry(manifest, entry.path) is None for entry in entries):
        return False
    size = sum(entry.size_bytes for entry in entries)
    return bool(request.remote) or (request.partial and size >= PARTS_FROM_BYTES)


def _load_parts(
    cache: DatasetCache,
    client: CatalogueClient,
    history: CharterHistory,
    folder: Path,
    entries: Sequence[FileEntry],
    request: Request,
) -> Any:
    # Everything but rows and drawings: signatures, verdict and schema are checked as for a whole copy.
    manifest = cache.add(client, history, folder, [f"{entry.path}{BLOCKS_SUFFIX}" for entry in entries]).manifest
    with cache.held(folder):
        cache.touch(folder)
        tables = []
        for entry in entries:
            listed = blocks_entry(manifest, entry.path)
            if listed is None:
                raise ReleaseRefused(f"the catalogue changed {entry.path} while it was read; tell the consortium")
            blocks = read_blocks((folder / listed.path).read_bytes(), entry)
            with BlockFile(client, manifest.name, manifest.version, entry, blocks) as file:
                tables.append(read_rows(file, request.columns, request.filters, parallel=False))
        return convert(joined(tables), request.form, lambda: _categories(folder))


def has_kept(cache: DatasetCache, folder: Path, config: ConfigurationName) -> bool:
    """Whether all files of a configuration are in the cache; whether they are sound, `load_kept` tells."""
    manifest = cache.manifest(folder)
    if manifest is None or config not in ("default", *(each.name for each in manifest.configurations)):
        return False
    return cache.holds(folder, _paths_of(manifest, config))


def _paths_of(manifest: Manifest, config: ConfigurationName) -> Sequence[str]:
    if config == "default":
        return (DATA,)
    for configuration in manifest.configurations:
        if configuration.name == config:
            several = config == LARGE
            return shard_paths(entry.path for entry in manifest.files) if several else (configuration.path,)
    there = ", ".join(["default", *(each.name for each in manifest.configurations)])
    raise InputError(f"{manifest.name} version {manifest.version} has no configuration {config!r}; it has {there}")


def _categories(folder: Path) -> Mapping[str, Sequence[str]]:
    schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    return {
        column.name: column.categories
        for column in schema.columns
        if isinstance(column, CategoricalColumn | BooleanColumn)
    }
