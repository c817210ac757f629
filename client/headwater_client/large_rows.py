"""Very many rows of a release that waits: every file fetched and looked at, and one of them kept at a time."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from headwater.audit.artefacts import marks_of_shard
from headwater.canonical import canonical_json
from headwater.errors import ReleaseRefused, StorageError
from headwater.release.blocks import BLOCKS_SUFFIX, check_block_list
from headwater.release.large import LARGE, check_footers, is_later_shard, read_footer, shard_path
from headwater.release.layout import DATA
from headwater.release.manifest import Manifest
from headwater.release.row_files import check_cells
from headwater.schema import Schema
from headwater_client.settings import write_text_atomically
from headwater_client.transport.releases import ReleasesClient

__all__ = ["check_large", "fetch_large"]


def fetch_large(client: ReleasesClient, manifest: Manifest, schema: Schema, folder: Path) -> Collection[str]:
    """Look at each file of very many rows but the first, and keep none of them: the disk holds one at a time.

    The digest of each is held to the manifest's; its metadata, columns, texts and every cell are looked at, a few
    thousand rows at a time. The first file is read later, with the other files. What was looked at is noted beside the
    folder, so that it is not fetched again.

    Args:
        client: of the coordinator.
        manifest: verified.
        schema: of the approved plan.
        folder: for the files.

    Returns:
        Paths of the manifest that are not in the folder.

    Raises:
        PeerError: the coordinator sent another file than it signed.
        ReleaseRefused: a file holds what must not be published, or is no Parquet file.
        StorageError: the disk is full.
    """
    later = [entry for entry in manifest.files if is_later_shard(entry.path)]
    seen = dict(_seen(folder, manifest))
    for entry in later:
        if entry.path in seen:
            continue
        target = folder / entry.path
        listed = _fetch_list(client, manifest, entry.path, folder)
        client.fetch(manifest.digest, entry.path, target, entry.size_bytes, entry.sha256)
        try:
            if found := list(marks_of_shard(target, schema)):
                raise ReleaseRefused(f"{entry.path}: {found[0]}; refuse the release")
            # While the file is here: who reads a part of it has nothing but this list.
            check_block_list(folder, manifest, listed)
            check_cells(target, entry.path, schema)
            footer = read_footer(target, entry.path)
            # Columns as the schema says are not yet columns as data.parquet has them, which comes later.
            seen[entry.path] = {"rows": footer.rows, "columns": footer.schema.remove_metadata().to_string()}
        finally:
            target.unlink(missing_ok=True)
        write_text_atomically(_note(folder), canonical_json({"release": manifest.digest, "files": seen}).decode())
    return {entry.path for entry in later}


def check_large(folder: Path, manifest: Manifest) -> None:
    """Hold what was noted of all files to the manifest's number of rows, and to the columns of data.parquet.

    Args:
        folder: with data.parquet and the first of the files.
        manifest: verified.

    Raises:
        ReleaseRefused: they have other columns, or together another number of rows.
    """
    for configuration in manifest.configurations:
        if configuration.name != LARGE:
            continue
        first = read_footer(folder / shard_path(0), shard_path(0))
        like = read_footer(folder / DATA, DATA).schema
        check_footers({shard_path(0): first}, like, None)
        seen = _seen(folder, manifest)
        for path, said in seen.items():
            if said["columns"] != like.remove_metadata().to_string():
                raise ReleaseRefused(f"{path} has other columns than the rows of the release; refuse it")
        held = first.rows + sum(int(said["rows"]) for said in seen.values())
        if held != configuration.rows:
            raise ReleaseRefused(f"large/ has {held:,} rows, the manifest says {configuration.rows:,}; refuse it")


def _fetch_list(client: ReleasesClient, manifest: Manifest, path: str, folder: Path) -> str:
    listed = manifest.file(f"{path}{BLOCKS_SUFFIX}")
    if listed is None:
        raise ReleaseRefused(f"there is no list of the blocks of {path} in the release; refuse it")
    client.fetch(manifest.digest, listed.path, folder / listed.path, listed.size_bytes, listed.sha256)
    return listed.path


def _note(folder: Path) -> Path:
    # Beside the release's files, which are scanned as they will be published.
    return folder.parent / f"{folder.name}.large.json"


def _seen(folder: Path, manifest: Manifest) -> Mapping[str, Mapping[str, str | int]]:
    note = _note(folder)
    if not note.is_file():
        return {}
    try:
        said = json.loads(note.read_bytes())
        return dict(said["files"]) if said["release"] == manifest.digest else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{note} cannot be read; remove it, and what it notes is fetched again") from error
