"""What the coordinator tells its catalogue: who it is, where it listens, and whom it lets in."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from headwater.agreement.charter import SignedCharter
from headwater.errors import InputError
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.storage.access_port import Level

__all__ = ["CatalogueSettings", "default_level", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_level(chosen: str, *, shared_token: bool) -> Level:
    """Level of a dataset that nobody chose one for.

    Args:
        chosen: by the operator for all of them; "" for nothing.
        shared_token: all readers share a token.
    """
    if chosen:
        return Level(chosen)
    return Level.CLOSED if shared_token else Level.PUBLIC


@dataclass(frozen=True)
class CatalogueSettings:
    """Settings of one catalogue.

    Attributes:
        consortium: whose datasets these are.
        address: the URL by which readers reach it, https://HOST:PORT without a path.
        host: the address that the listener is bound to.
        charter: gives a version of the charter that is or was in force, the newest for None; None where there is none.
        token_digest: SHA-256 (hexadecimal) of a token that all readers share; None where there is none.
        default_level: level of datasets that nobody chose one for: "public", "registered", "closed", or "" for what is
            safe: closed where there is a shared token, else public, which on an open address is refused.
        open_runs: run pages are shown to everybody who can connect; on loopback alone.
        limits: how much one reader may ask.
        ca_digest: SHA-256 of the consortium's CA certificate, shown to be compared; empty if unknown.

    Raises:
        InputError: datasets or runs would be open to other machines without anybody's choice, or a malformed value.
    """

    consortium: str
    address: str
    host: str
    charter: Callable[[int | None], SignedCharter | None]
    token_digest: str | None = None
    ca_digest: str = ""
    default_level: str = ""
    open_runs: bool = False
    limits: CatalogueLimits = field(default_factory=CatalogueLimits)

    @property
    def level(self) -> Level:
        """Level of a dataset that nobody chose one for."""
        return default_level(self.default_level, shared_token=self.token_digest is not None)

    def __post_init__(self) -> None:
        """Refuse an open catalogue on an open address."""
        if self.default_level not in ("", Level.PUBLIC, Level.REGISTERED, Level.CLOSED):
            raise InputError(f"{self.default_level!r} is no level of a whole catalogue; public, registered or closed")
        if self.level is Level.PUBLIC and not is_loopback(self.host):
            raise InputError(
                f"the catalogue would listen on {self.host} and let everybody in; set a token or listen on 127.0.0.1"
            )
        if self.open_runs and not is_loopback(self.host):
            raise InputError(
                f"the catalogue would listen on {self.host} and show runs to everybody; give out tokens of scope runs"
            )
        if self.token_digest is not None and not re.fullmatch(r"[0-9a-f]{64}", self.token_digest):
            raise InputError("the catalogue's token digest is not 64 hexadecimal digits; make the token again")
        if not re.fullmatch(r"https://[A-Za-z0-9.\[\]:-]+", self.address):
            raise InputError(f"the catalogue's address {self.address!r} is not https://HOST:PORT; correct it")
