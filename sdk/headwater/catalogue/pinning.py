"""Naming a catalogue once, its address, authority and charter checked together, and following that charter."""

import re
import ssl
from pathlib import Path

from pydantic import ValidationError

from headwater.agreement.charter import Charter
from headwater.agreement.documents import first_problem
from headwater.agreement.succession import CharterHistory
from headwater.canonical import sha256_hex
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.known import (
    KnownCatalogue,
    pin_history,
    pinned_history,
    read_catalogues,
    write_catalogues,
)
from headwater.errors import InputError, PeerError

__all__ = ["add_catalogue", "follow_charter", "remove_catalogue", "whole_digest"]


def add_catalogue(home: Path, url: str, ca_pem: str, charter_digest: str, token: str = "") -> Charter:
    """Fetch the catalogue's charter, check it against the pinned digest, and remember both.

    Args:
        home: the researcher's folder.
        url: https://HOST:PORT.
        ca_pem: the consortium's CA certificate, PEM.
        charter_digest: of any version, as a member of the consortium gave it by another way than this catalogue;
            blanks are ignored.
        token: access token, or empty.

    Returns:
        The charter in force: the pinned version, or one that follows it by its members' signatures.

    Raises:
        InputError: an argument cannot be used, or the token is not accepted.
        PeerError: the catalogue has another charter, or the charter names another CA.
        TransportError: the catalogue could not be reached over TLS under this CA.
    """
    digest = whole_digest(charter_digest)
    try:
        known = KnownCatalogue(url=url.rstrip("/"), charter=digest, ca_pem=ca_pem, token=token)
    except ValidationError as error:
        raise InputError(
            f"the catalogue cannot be added: {first_problem(error)}; give https://HOST:PORT, a CA certificate in PEM "
            "and, if it asks for one, a token without blanks"
        ) from error
    with CatalogueClient(known) as client:
        history = client.history()
    charter = history.newest
    if sha256_hex(_certificate(ca_pem)) != charter.ca_digest:
        raise PeerError("the CA file is not the one that the charter names; ask the consortium for its ca.crt")
    pin_history(home, history)
    others = [other for other in read_catalogues(home) if other.url != known.url]
    write_catalogues(home, [*others, known])
    return charter


def remove_catalogue(home: Path, url: str) -> None:
    """Forget a catalogue and its token; charters stay pinned, by which what was downloaded is verified.

    Raises:
        InputError: it is not known.
    """
    known = read_catalogues(home)
    kept = [each for each in known if each.url != url.rstrip("/")]
    if len(kept) == len(known):
        there = f"known are {', '.join(each.url for each in known)}" if known else "none is known"
        raise InputError(f"{url} is not a known catalogue; {there}")
    write_catalogues(home, kept)


def follow_charter(home: Path, client: CatalogueClient) -> CharterHistory:
    """The charter of a known catalogue up to the version in force now; its versions are kept for later.

    Raises:
        InputError: the pinned charter is no longer kept here.
        PeerError: the catalogue shows an older version than the pinned one, or another history.
        TransportError: the catalogue could not be reached.
    """
    known = pinned_history(home, client.known.charter)
    history = client.history(known)
    if len(history.charters) > len(known.charters):
        pin_history(home, history)
    return history


def whole_digest(given: str) -> str:
    """A charter's digest as people give it, without blanks and in lower case.

    Raises:
        InputError: it has not 64 hexadecimal digits.
    """
    digest = "".join(given.split()).lower()
    if not re.fullmatch(r"[0-9a-f]*", digest):
        found = "this one holds other characters"
    elif len(digest) != 64:
        found = f"this one has {len(digest)}"
    else:
        return digest
    raise InputError(
        f"the catalogue cannot be added: a charter's digest has 64 hexadecimal digits, {found}; ask a member of the "
        "consortium for all of it, `headwater-org charter show` prints it"
    )


def _certificate(ca_pem: str) -> bytes:
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    # Exactly one, or a second authority would be trusted that the charter does not name.
    if ca_pem.count(begin) != 1 or end not in ca_pem:
        raise InputError("the CA file must hold exactly one PEM certificate; ask the consortium for its ca.crt")
    block = ca_pem[ca_pem.index(begin) : ca_pem.index(end) + len(end)]
    return ssl.PEM_cert_to_DER_cert(block)
