"""The catalogues that a researcher named, and the charters pinned with them, in a private folder."""

import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.documents import HexDigest, first_problem
from headwater.agreement.succession import CharterHistory
from headwater.errors import HeadwaterError, InputError, PeerError

__all__ = [
    "CatalogueAddress",
    "KnownCatalogue",
    "charter_of_release",
    "home_folder",
    "pin_history",
    "pinned_charter",
    "pinned_history",
    "read_catalogues",
    "read_charter",
    "write_catalogues",
]

_FILE = "catalogues.toml"
_CHARTERS = "charters"

CatalogueAddress = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.\[\]:-]{1,255}$")]
"""https://HOST or https://HOST:PORT, without a path; plain http has no place here."""


class KnownCatalogue(BaseModel):
    """One catalogue and all that is trusted about it.

    Attributes:
        url: where it is.
        charter: digest of the pinned charter; what the catalogue shows must go through it.
        ca_pem: the one certificate authority that its TLS certificate may come from.
        token: access token; empty where none is asked for. Never shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: CatalogueAddress
    charter: HexDigest
    ca_pem: str = Field(min_length=1, max_length=1_000_000, repr=False)
    token: str = Field(default="", max_length=1000, pattern=r"^[\x21-\x7e]*$", repr=False)


class _Book(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    catalogue: tuple[KnownCatalogue, ...] = ()


def home_folder() -> Path:
    """$HEADWATER_HOME, or ~/.headwater where it is not set."""
    named = os.environ.get("HEADWATER_HOME")
    return Path(named) if named else Path.home() / ".headwater"


def read_catalogues(home: Path) -> Sequence[KnownCatalogue]:
    """The known catalogues, in the order they were named.

    Raises:
        InputError: the file is not what `headwater catalogue add` writes.
    """
    path = home / _FILE
    if not path.is_file():
        return ()
    try:
        return _Book.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).catalogue
    except ValidationError as error:
        raise InputError(
            f"{path} is not valid at {first_problem(error)}; correct it or add the catalogue again"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML; correct it, or remove it and add the catalogue again") from error


def write_catalogues(home: Path, catalogues: Sequence[KnownCatalogue]) -> None:
    """Replace the list of known catalogues, readable by its owner alone: it holds tokens."""
    tables = tomlkit.aot()
    for catalogue in catalogues:
        table = tomlkit.table()
        table.update(catalogue.model_dump(exclude_defaults=True))
        tables.append(table)
    document = tomlkit.document()
    document.add("catalogue", tables)
    _write_private(home / _FILE, tomlkit.dumps(document).encode("utf-8"))


def pin_history(home: Path, history: CharterHistory) -> None:
    """Keep every version of a charter that was checked, so that downloads can be verified without a network."""
    for signed in history.charters:
        _write_private(home / _CHARTERS / f"{signed.charter.digest}.json", signed.to_bytes())


def pinned_history(home: Path, digest: str) -> CharterHistory:
    """A kept charter with every version before it, checked anew.

    Raises:
        InputError: no charter of this digest was pinned here.
        PeerError: a kept file is not what it should be, or a signature on it is wrong or missing.
    """
    signed = [_kept(home, digest)]
    # Versions count down, so this ends whatever the files say.
    while signed[0].charter.previous is not None:
        signed.insert(0, _kept(home, signed[0].charter.previous))
    return CharterHistory(tuple(signed))


def pinned_charter(home: Path, digest: str) -> Charter:
    """A kept charter, checked anew.

    Raises:
        InputError: no charter of this digest was pinned here.
        PeerError: a kept file is not what it should be, or a signature on it is wrong or missing.
    """
    return pinned_history(home, digest).newest


def charter_of_release(home: Path, pinned: str, claimed: str) -> Charter:
    """The charter that a release says it was made under, if it is in one history with the pinned one.

    Args:
        home: the researcher's folder.
        pinned: digest of the catalogue's pinned charter.
        claimed: digest that the release names.

    Raises:
        InputError: one of them was never kept here.
        PeerError: the release's charter is of another history, or a kept file was changed.
    """
    history = pinned_history(home, pinned)
    if (earlier := history.find(claimed)) is not None:
        return earlier
    later = pinned_history(home, claimed)
    later.check_holds(history.newest)
    return later.newest


def read_charter(data: bytes) -> SignedCharter:
    """Read a signed charter without believing it yet.

    Raises:
        PeerError: it is not one.
    """
    try:
        return SignedCharter.from_bytes(data)
    except HeadwaterError as error:
        raise PeerError(f"the charter cannot be read: {error}") from error


def _kept(home: Path, digest: str) -> SignedCharter:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise InputError("a charter's digest has 64 hexadecimal digits; give all of them")
    path = home / _CHARTERS / f"{digest}.json"
    if not path.is_file():
        raise InputError(
            f"charter {digest[:16]}… is not pinned here (in {home}; HEADWATER_HOME names another folder); get its "
            f"digest from a member of the consortium and run `headwater catalogue add`"
        )
    signed = read_charter(path.read_bytes())
    if signed.charter.digest != digest:
        raise PeerError(
            f"the charter kept here has digest {signed.charter.digest[:16]}…, the pinned one is {digest[:16]}…; "
            "run `headwater catalogue add` again, and trust nothing until then"
        )
    return signed


def _write_private(path: Path, data: bytes) -> None:
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staging, path)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
