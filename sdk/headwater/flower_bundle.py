"""The one Flower bundle of Headwater: a name for each side's installed app, no code, one SHA-256.

Flower bundles can carry packages that shadow installed ones, so an organisation runs none: its executor compares the
bundle's digest with the one in the approved plan and calls what is installed (design: flower.md). The digest must be
the same on every machine, so the bundle is built here byte by byte, as Flower 1.41's own builder does it; a test
holds the two equal.
"""

import io
import zipfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

from headwater.errors import InputError

__all__ = [
    "INVITATION_MESSAGE_TYPE",
    "OUTCOME_DONE",
    "OUTCOME_KEY",
    "OUTCOME_REFUSED",
    "RECORD_NAME",
    "RUN_KEY",
    "STUB_ID",
    "STUB_VERSION",
    "build_bundle",
    "bundle_sha256",
    "stub_folder",
]

STUB_ID: Final = "headwater/headwater-stub"
STUB_VERSION: Final = "1.0.0"

# The one message that Flower carries for us, and its reply: a ConfigRecord with one entry each.
INVITATION_MESSAGE_TYPE: Final = "query"
RECORD_NAME: Final = "headwater"
RUN_KEY: Final = "run_id"
OUTCOME_KEY: Final = "outcome"
OUTCOME_DONE: Final = "done"
OUTCOME_REFUSED: Final = "refused"

_MANIFEST_NAME: Final = "pyproject.toml"
_CONTENT_NAME: Final = ".info/CONTENT"
# flwr.common.constant.FAB_DATE: every entry's date, so that the bytes do not depend on when they were built.
_ENTRY_DATE: Final = (2024, 10, 1, 0, 0, 0)
# The zip format records the writer's system; fixed to Unix, as Flower's builder writes on the SuperLink's host.
_UNIX: Final = 3


def stub_folder() -> Path:
    """The folder that `flwr run` is given; it holds one pyproject.toml and nothing else.

    Raises:
        InputError: the installed package lacks it.
    """
    folder = Path(str(files("headwater"))) / "flower-stub"
    if not (folder / _MANIFEST_NAME).is_file():
        raise InputError(f"{folder} holds no {_MANIFEST_NAME}; the installation is damaged, install headwater again")
    return folder


def build_bundle() -> bytes:
    """Build the stub bundle: the same bytes on every machine.

    Returns:
        A zip archive of pyproject.toml and Flower's list of contents, uncompressed.

    Raises:
        InputError: the installed package lacks the stub.
    """
    manifest = (stub_folder() / _MANIFEST_NAME).read_bytes()
    # Flower's list of contents: path, SHA-256, size in bits.
    content = f"{_MANIFEST_NAME},{sha256(manifest).hexdigest()},{len(manifest) * 8}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ((_MANIFEST_NAME, manifest), (_CONTENT_NAME, content.encode())):
            entry = zipfile.ZipInfo(name, date_time=_ENTRY_DATE)
            entry.create_system = _UNIX
            archive.writestr(entry, data)
    return buffer.getvalue()


def bundle_sha256() -> str:
    """SHA-256 of the stub bundle, 64 hexadecimal digits: what a plan records and an organisation compares."""
    return sha256(build_bundle()).hexdigest()
