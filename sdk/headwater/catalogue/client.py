"""One catalogue over HTTPS: what it lists and the bytes of its files."""

import ipaddress
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.client import HTTPResponse
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import ValidationError

from headwater.agreement.charter import Charter
from headwater.agreement.documents import first_problem
from headwater.agreement.succession import CharterHistory
from headwater.canonical import sha256_hex
from headwater.catalogue.fetching import Arriving, BrokenLine
from headwater.catalogue.known import KnownCatalogue, read_charter
from headwater.catalogue.listing import Listing, Listings
from headwater.catalogue.refusals import MAXIMUM_REFUSAL_BYTES, NotInCatalogue, refusal_of, request_refused
from headwater.catalogue.searching import EVERYTHING, Wish
from headwater.catalogue.wire import BROKEN, FileConnections, pieces_of
from headwater.errors import HeadwaterError, InputError, PeerError, ReleaseRefused, TransportError
from headwater.release import FileEntry, SignedManifest
from headwater.release.layout import ATTESTATION, MANIFEST, MAXIMUM_ATTESTATION_BYTES, MAXIMUM_MANIFEST_BYTES
from headwater.release.manifest import Manifest
from headwater.release.verification import read_manifest, verify_manifest
from headwater.release.withdrawal import MAXIMUM_WITHDRAWAL_BYTES, WITHDRAWN, Withdrawal, verify_withdrawal

__all__ = ["CatalogueClient"]

_MAXIMUM_ANSWER_BYTES = 16 * 2**20
_STREAMS = 4
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class CatalogueClient:
    """A connection to one known catalogue; a context manager.

    TLS is always verified, against the one certificate authority that was pinned: there is no way to turn it off.
    """

    def __init__(self, known: KnownCatalogue) -> None:
        """Prepare a connection; nothing is sent yet.

        Raises:
            InputError: the pinned CA certificate cannot be read.
        """
        self.known = known
        headers = {"accept-encoding": "identity", "accept": "application/json", "user-agent": "headwater"}
        if known.token:
            headers["authorization"] = f"Bearer {known.token}"
        context = _pinned_tls(known.ca_pem)
        # A proxy cannot reach this machine's own loopback.
        proxies = not _is_loopback(known.url)
        self._http = httpx.Client(
            base_url=known.url,
            verify=context,
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=proxies,
        )
        self._files = FileConnections(known.url, context, headers, proxies=proxies)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; what `with` does at its end."""
        self._http.close()
        self._files.close()

    @property
    def streams(self) -> int:
        """Requests that may run at the same time."""
        # On one machine both sides share its processors: more connections cost and win nothing.
        return 1 if _is_loopback(self.known.url) else _STREAMS

    def history(self, known: CharterHistory | None = None) -> CharterHistory:
        """The catalogue's charter from version 1 to the one in force, which goes through the pinned one.

        Args:
            known: versions that need not be fetched again.

        Raises:
            PeerError: it does not go through the pinned charter, or a signature on it is wrong or missing.
            TransportError: the catalogue could not be reached.
        """
        newest = read_charter(self._get("/api/v1/charter", "the charter"))
        held = () if known is None else known.charters[: newest.charter.version - 1]
        between = [
            read_charter(self._get(f"/api/v1/charters/{version}", f"version {version} of the charter"))
            for version in range(len(held) + 1, newest.charter.version)
        ]
        history = CharterHistory((*held, *between, newest))
        if known is not None:
            history.check_holds(known.newest)
        if history.find(self.known.charter) is None:
            raise PeerError(
                f"the charter has digest {history.newest.digest[:16]}…, the pinned one is {self.known.charter[:16]}… "
                "and none of the versions before it; ask a member of the consortium which one is in force, and trust "
                "nothing until then"
            )
        return history

    def releases(self, wish: Wish = EVERYTHING) -> tuple[Listing, ...]:
        """The newest version of every dataset that fits, best first; the catalogue itself searches.

        Raises:
            InputError: the wish names no privacy that there is.
            RequestRefused: the catalogue does not look for so much, with the reason in one line.
            TransportError: the catalogue could not be reached, or does not answer as a catalogue does.
        """
        query = wish.query()
        found: list[Listing] = []
        page, pages = 1, 1
        while page <= pages:
            asked = urlencode({**query, "per_page": "100", "page": str(page)})
            answer = self._list(f"/api/v1/releases?{asked}", "the list of datasets")
            found += answer.releases
            page, pages = page + 1, answer.pages
        return tuple(found)

    def versions(self, name: str) -> tuple[Listing, ...]:
        """All versions of a dataset, newest first; empty if there is none.

        Raises:
            TransportError: the catalogue could not be reached, or does not answer as a catalogue does.
        """
        try:
            return self._list(f"/api/v1/releases/{quote(name, safe='')}", f"dataset {name!r}").versions
        except NotInCatalogue:
            return ()

    def manifest(self, name: str, version: int, charter: Charter | CharterHistory) -> tuple[SignedManifest, bytes]:
        """The signed manifest of one version, verified under a charter or a version of its history, and its bytes.

        Raises:
            InputError: there is no such version.
            ReleaseRefused: it is not signed by the charter's coordinator, or is another dataset's.
            TransportError: the catalogue could not be reached.
        """
        path = self.file_path(name, version, MANIFEST)
        data = self._get(path, f"{name} version {version}", MAXIMUM_MANIFEST_BYTES)
        signed = read_manifest(data)
        manifest = verify_manifest(signed, charter)
        # A validly signed manifest of another dataset or an older version must not stand in for this one.
        if (manifest.name, manifest.version) != (name, version):
            raise ReleaseRefused(
                f"the catalogue answered with {manifest.name} version {manifest.version}, {name} version {version} "
                "was asked for; tell the consortium"
            )
        return signed, data

    def attestation(self, name: str, version: int) -> bytes:
        """attestation.json of one version, not verified yet.

        Raises:
            InputError: there is none.
            TransportError: the catalogue could not be reached.
        """
        path = self.file_path(name, version, ATTESTATION)
        return self._get(path, f"the attestation of {name} version {version}", MAXIMUM_ATTESTATION_BYTES)

    def withdrawal(self, manifest: Manifest, charter: Charter | CharterHistory) -> tuple[Withdrawal, bytes] | None:
        """The consortium's notice that it took this version back, and its bytes; None where it stands.

        Raises:
            ReleaseRefused: there is a notice and the consortium did not sign it.
            TransportError: the catalogue could not be reached.
        """
        path = self.file_path(manifest.name, manifest.version, WITHDRAWN)
        try:
            data = self._get(path, f"{manifest.name} version {manifest.version}", MAXIMUM_WITHDRAWAL_BYTES)
        except NotInCatalogue:
            return None
        return verify_withdrawal(data, manifest, charter), data

    def text_file(self, manifest: Manifest, path: str, limit_bytes: int = _MAXIMUM_ANSWER_BYTES) -> bytes:
        """A small file of a release, held to the size and digest that its verified manifest states.

        Raises:
            InputError: the release has no such file.
            ReleaseRefused: it is not the file that was signed.
            TransportError: the catalogue could not be reached.
        """
        entry = manifest.file(path)
        if entry is None:
            raise NotInCatalogue(f"{manifest.name} version {manifest.version} has no file {path}")
        data = self._get(self.file_path(manifest.name, manifest.version, path), path, limit_bytes)
        if sha256_hex(data) != entry.sha256:
            raise ReleaseRefused(f"{path} is not the file that was signed; tell the consortium")
        return data

    def file_path(self, name: str, version: int, path: str) -> str:
        """The path of a file on the catalogue's site."""
        return f"/api/v1/releases/{quote(name, safe='')}/{version}/files/{quote(path)}"

    def open_file(
        self, name: str, version: int, entry: FileEntry, start: int = 0, stop: int | None = None
    ) -> AbstractContextManager[Arriving]:
        """Part of a file; as `headwater.catalogue.fetching.Fetcher`."""
        return self.open_path(self.file_path(name, version, entry.path), entry, start, stop)

    @contextmanager
    def open_path(self, path: str, entry: FileEntry, start: int = 0, stop: int | None = None) -> Iterator[Arriving]:
        """Part of what is at a path of the catalogue's site; else as `open_file`."""
        asked: dict[str, str] = {}
        if start > 0 or stop is not None:
            last = "" if stop is None else str(stop - 1)
            asked = {"range": f"bytes={start}-{last}", "if-range": f'"{entry.sha256}"'}
        with ExitStack() as stack:
            try:
                response = stack.enter_context(self._files.open(path, asked))
                first = self._begin(response, start, entry)
            except ssl.SSLCertVerificationError as error:
                raise self.explain(error) from error
            except BROKEN as error:
                raise BrokenLine(str(self.explain(error))) from error
            # Outside: a full disk of the reader's is no broken line.
            yield Arriving(first, self._pieces(response))

    def _begin(self, response: HTTPResponse, start: int, entry: FileEntry) -> int:
        if response.status == 200:
            # The whole file comes: another content, or a server without ranges.
            if (length := response.length) is not None and length != entry.size_bytes:
                longer = "longer" if length > entry.size_bytes else "shorter"
                raise ReleaseRefused(
                    f"{entry.path} is {longer} than the {entry.size_bytes:,} bytes that were signed; none was kept, "
                    "tell the consortium"
                )
            return 0
        if response.status != 206:
            headers = {key.lower(): value for key, value in response.getheaders()}
            raise self.refusal(response.status, entry.path, headers, response.read(MAXIMUM_REFUSAL_BYTES))
        if not response.getheader("content-range", "").startswith(f"bytes {start}-"):
            raise PeerError(f"the catalogue sent another part of {entry.path} than was asked for; refused")
        return start

    def _pieces(self, response: HTTPResponse) -> Iterator[memoryview]:
        try:
            yield from pieces_of(response)
        except BROKEN as error:
            raise BrokenLine(str(self.explain(error))) from error

    def ask(self, method: str, path: str, what: str, document: Mapping[str, object] | None = None) -> bytes:
        """Send a request that is no download, and give the body of its answer.

        Args:
            method: of HTTP.
            path: on the catalogue's site.
            what: is asked for, in words.
            document: sent as JSON.

        Raises:
            RequestRefused: the catalogue understood and refused, with its code and line.
            HeadwaterError: any other answer that is no success, as `refusal`.
            TransportError: the catalogue could not be reached.
        """
        try:
            with self._http.stream(method, path, json=document) as response:
                body = _beginning(response, _MAXIMUM_ANSWER_BYTES)
        except httpx.HTTPError as error:
            raise self.explain(error) from error
        if response.is_success:
            return body
        if (refused := request_refused(body[:MAXIMUM_REFUSAL_BYTES], response.status_code)) is not None:
            raise refused
        raise self.refusal(response.status_code, what, response.headers, body[:MAXIMUM_REFUSAL_BYTES])

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A GET whose body is read piece by piece; httpx errors pass through, for the caller to try again."""
        with self._http.stream("GET", path, headers=dict(headers)) as response:
            yield response

    def explain(self, error: Exception) -> TransportError:
        """A transport failure in words that say what to do."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return TransportError(
                f"{self.known.url} showed a certificate that does not come from the pinned CA or is not for this "
                "host; check the address and the CA file with the consortium"
            )
        detail = str(error) or type(error).__name__
        return TransportError(f"{self.known.url} could not be reached ({detail}); check the address and try again")

    def refusal(self, status: int, what: str, headers: Mapping[str, str], body: bytes) -> HeadwaterError:
        """An answer that is no success, as `refusal_of`."""
        return refusal_of(self.known.url, status, what, has_token=bool(self.known.token), headers=headers, body=body)

    def _list(self, path: str, what: str) -> Listings:
        try:
            return Listings.model_validate(json.loads(self._get(path, what)))
        except ValidationError as error:
            raise TransportError(
                f"{self.known.url} does not answer as a catalogue: {first_problem(error)}; check the address"
            ) from error
        except (ValueError, RecursionError) as error:
            raise TransportError(
                f"{self.known.url} answered with something else than JSON; check the address"
            ) from error

    def _get(self, path: str, what: str, limit_bytes: int = _MAXIMUM_ANSWER_BYTES) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            with self.stream(path, {}) as response:
                if response.status_code != 200:
                    body = _beginning(response)
                    if response.status_code == 422 and (refused := request_refused(body, 422)) is not None:
                        raise refused
                    raise self.refusal(response.status_code, what, response.headers, body)
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise PeerError(f"{self.known.url} sent {what} compressed, which was not asked for; refused")
                for piece in response.iter_raw():
                    size += len(piece)
                    if size > limit_bytes:
                        raise PeerError(f"{self.known.url} sent more than {limit_bytes:,} bytes for {what}; refused")
                    pieces.append(piece)
        except httpx.HTTPError as error:
            raise self.explain(error) from error
        return b"".join(pieces)


def _beginning(response: httpx.Response, limit_bytes: int = MAXIMUM_REFUSAL_BYTES) -> bytes:
    """As much of a body as is read."""
    pieces = bytearray()
    for piece in response.iter_raw():
        pieces += piece
        if len(pieces) >= limit_bytes:
            break
    return bytes(pieces[:limit_bytes])


def _pinned_tls(ca_pem: str) -> ssl.SSLContext:
    # Not the system's authorities: only the consortium's own may vouch for its catalogue.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise InputError("the CA file holds no PEM certificate; ask the consortium for its ca.crt") from error
    return context


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
