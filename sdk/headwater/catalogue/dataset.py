"""A dataset by name as a table: fetched once, verified every time."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.known import charter_of_release, home_folder
from headwater.catalogue.loading import ConfigurationName, Request, has_kept, load_kept, load_release
from headwater.catalogue.pinning import follow_charter
from headwater.catalogue.rollback import cache_of
from headwater.catalogue.selection import chosen_catalogues, find_dataset
from headwater.errors import InputError
from headwater.release.verification import claimed_charter

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

    from headwater.catalogue.frames import Filters, Form
    from headwater.generator.table_dataset import TableDataset

__all__ = ["cache_of", "check_name", "load_dataset"]


@overload
def load_dataset(
    name: str,
    version: int | None = None,
    *,
    config: ConfigurationName = ...,
    as_: Literal["arrow"] = ...,
    columns: Sequence[str] | None = ...,
    filters: "Filters | None" = ...,
    catalogue: str | None = ...,
    allow_withdrawn: bool = ...,
    remote: bool | None = ...,
    on_progress: Callable[[int, int], None] = ...,
) -> "pa.Table": ...
@overload
def load_dataset(
    name: str,
    version: int | None = None,
    *,
    config: ConfigurationName = ...,
    as_: Literal["torch"],
    columns: Sequence[str] | None = ...,
    filters: "Filters | None" = ...,
    catalogue: str | None = ...,
    allow_withdrawn: bool = ...,
    remote: bool | None = ...,
    on_progress: Callable[[int, int], None] = ...,
) -> "TableDataset": ...
@overload
def load_dataset(
    name: str,
    version: int | None = None,
    *,
    config: ConfigurationName = ...,
    as_: Literal["dataset"],
    catalogue: str | None = ...,
    allow_withdrawn: bool = ...,
    on_progress: Callable[[int, int], None] = ...,
) -> "pyarrow.dataset.Dataset": ...
@overload
def load_dataset(
    name: str,
    version: int | None = None,
    *,
    config: ConfigurationName = ...,
    as_: "Form" = ...,
    columns: Sequence[str] | None = ...,
    filters: "Filters | None" = ...,
    catalogue: str | None = ...,
    allow_withdrawn: bool = ...,
    remote: bool | None = ...,
    on_progress: Callable[[int, int], None] = ...,
) -> Any: ...
def load_dataset(
    name: str,
    version: int | None = None,
    *,
    config: ConfigurationName = "default",
    as_: "Form" = "arrow",
    columns: Sequence[str] | None = None,
    filters: "Filters | None" = None,
    catalogue: str | None = None,
    allow_withdrawn: bool = False,
    remote: bool | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Any:
    """Load a synthetic dataset from a known catalogue.

    The files are kept under $HEADWATER_HOME/cache (~/.headwater/cache) and checked against the pinned charter, or
    the versions that follow it, at every call. With a version, what is in the cache is used without asking the network.

    Args:
        name: as `headwater list` shows it.
        version: None for the newest.
        config: "default"; "balanced", "views" or "large" (very many rows) where the release has them.
        as_: "arrow": pyarrow.Table; "dataset": pyarrow.dataset.Dataset over the files of the cache, for more rows than
            memory holds, which reads what is scanned (`to_batches(columns=…, filter=…)`) and nothing before;
            "pandas": DataFrame; "polars": DataFrame; "torch": a torch Dataset with a tensor for each column
            (`headwater.generator.table_dataset`).
        columns: which, in this order; None for all.
        filters: which rows, as pyarrow has them: [("age", ">", 40), ("sex", "in", ["Female"])].
        catalogue: the address of one known catalogue, where several have the name.
        allow_withdrawn: give a copy from the cache although the consortium took the version back.
        remote: True reads what is asked for by ranges, False downloads the file; None reads by ranges where columns or
            filters ask for less than all of a file of 8 MiB and more that is not in the cache.
        on_progress: told (bytes there, bytes in all) of a download.

    Raises:
        InputError: no known catalogue has it, the version has no such configuration or column, or pandas, polars or
            torch is not installed; the message says what to do.
        ReleaseRefused: a signature, size or digest is wrong, or the version was withdrawn (code "withdrawn").
        TransportError: the catalogue could not be reached.
        StorageError: the disk has no room.

    Guarantee: every byte that the answer is made of was held to a signed SHA-256 first, of its file or, read by
    ranges, of its block. None of privacy beyond what the dataset's card states: an ε with all that it does not cover,
    or none.
    """
    check_name(name)
    request = Request(config, as_, columns, filters, allow_withdrawn, remote, on_progress)
    request.check()
    home = home_folder()
    cache = cache_of(home)
    if version is not None:
        for known in chosen_catalogues(home, catalogue):
            folder = cache.folder(known.charter, name, version)
            if has_kept(cache, folder, config):
                return load_kept(
                    cache, folder, charter_of_release(home, known.charter, claimed_charter(folder)), request
                )
    known, newest = find_dataset(home, name, version, catalogue)
    with CatalogueClient(known) as client:
        history = follow_charter(home, client)
        return load_release(cache, client, history, name, newest, request)


def check_name(name: str) -> None:
    """Refuse what is no dataset's name before it becomes a part of a path.

    Raises:
        InputError: it is none.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise InputError(f"{name!r} is no dataset's name; `headwater list` shows what there is")
