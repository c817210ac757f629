"""The newest version of each dataset that was verified here: a coordinator cannot show an older one for the newest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.agreement.succession import CharterHistory
from headwater.canonical import canonical_json
from headwater.errors import InputError, ReleaseRefused, StorageError
from headwater_client.settings import write_text_atomically

if TYPE_CHECKING:
    from headwater_client.transport.datasets import DatasetsClient

__all__ = ["note_version", "refuse_older"]

_NOTE = "datasets-seen.json"


def refuse_older(folder: Path, client: "DatasetsClient", history: CharterHistory, name: str, newest: int) -> None:
    """Refuse the coordinator's newest version where a later one was seen and nothing signed took it back.

    Args:
        folder: of the organisation.
        client: of the coordinator.
        history: of the charter.
        name: of the dataset.
        newest: by the coordinator's word.

    Raises:
        ReleaseRefused: there was a later version, and no signed notice of its withdrawal.
        StorageError: the note cannot be read.
        PeerError, TransportError: as every call.
    """
    seen = _seen(folder).get(name, 0)
    if seen <= newest:
        return
    try:
        withdrawal = client.documents(name, seen, history)[2]
    except InputError:
        withdrawal = None
    if withdrawal is None:
        raise ReleaseRefused(
            f"the coordinator shows version {newest} of {name} as its newest, version {seen} was verified here before "
            "and nothing signed withdraws that; tell the other members, or name a version"
        )


def note_version(folder: Path, name: str, version: int) -> None:
    """Remember a version that was verified.

    Raises:
        StorageError: the note cannot be read or written.
    """
    seen = _seen(folder)
    if seen.get(name, 0) < version:
        write_text_atomically(folder / _NOTE, canonical_json({**seen, name: version}).decode())


def _seen(folder: Path) -> Mapping[str, int]:
    note = folder / _NOTE
    try:
        said = json.loads(note.read_bytes())
        return {str(name): int(version) for name, version in said.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(f"{note} cannot be read; remove it, and versions are noted anew") from error
