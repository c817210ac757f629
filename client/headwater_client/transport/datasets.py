"""Published datasets, listed and downloaded over the member channel."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from pydantic import ValidationError

from headwater.agreement.charter import Charter
from headwater.agreement.documents import first_problem
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.fetching import Arriving, BrokenLine
from headwater.catalogue.listing import Listing
from headwater.errors import HeadwaterError, InputError, PeerError, ReleaseRefused, TransportError
from headwater.release import FileEntry, SignedManifest
from headwater.release.layout import MAXIMUM_ATTESTATION_BYTES
from headwater.release.verification import read_manifest, verify_manifest
from headwater.release.withdrawal import Withdrawal, verify_withdrawal
from headwater.rpc.v1 import catalogue_pb2, catalogue_pb2_grpc
from headwater_client.transport.channel import CoordinatorChannel

__all__ = ["DatasetsClient"]

_LONGEST_SECONDS = 3600.0
_PAGE = 100
_MAXIMUM_LISTED = 100_000


class DatasetsClient:
    """The coordinator's catalogue as a member sees it; a `headwater.catalogue.fetching.Fetcher`.

    All may raise `TransportError` (the coordinator is away), `PeerError` (it refused this member, or sent bytes that
    are not what was asked for) and `InputError` as catalogue.proto says.
    """

    def __init__(self, channel: CoordinatorChannel, timeout_seconds: float = 30.0) -> None:
        """Use a channel; each call has `timeout_seconds`, and a file as much more as its size needs."""
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._stub = catalogue_pb2_grpc.CatalogueStub(channel.grpc)

    @property
    def streams(self) -> int:
        """Files that may be open at the same time: the coordinator allows a member four, over all its programs."""
        return 2

    def listings(self, query: str = "", name: str = "") -> tuple[tuple[Listing, bool], ...]:
        """What there is, the most recently made first, each with whether it was withdrawn.

        Args:
            query: words that must all be found; empty for all.
            name: of one dataset, whose versions are listed; empty for the newest of each.
        """
        found: list[tuple[Listing, bool]] = []
        request = catalogue_pb2.ListDatasetsRequest(query=query, name=name, page_size=_PAGE)
        while True:
            answer = self._call(self._stub.ListDatasets, request)
            found += [(_listing(each), each.withdrawn) for each in answer.releases]
            if not answer.next_page_token:
                return tuple(found)
            if not answer.releases or len(found) > _MAXIMUM_LISTED:
                raise PeerError("the coordinator's list of datasets has no end; ask the operator")
            request.page_token = answer.next_page_token

    def manifest(self, name: str, version: int, charter: Charter | CharterHistory) -> tuple[SignedManifest, bytes]:
        """The signed manifest of one version, verified; as `headwater.catalogue.fetching.Fetcher`."""
        signed, data, _ = self.documents(name, version, charter)
        return signed, data

    def documents(
        self, name: str, version: int, charter: Charter | CharterHistory
    ) -> tuple[SignedManifest, bytes, Withdrawal | None]:
        """What is signed about one version, verified: the manifest, its bytes, and the notice of its withdrawal.

        Args:
            name: of the dataset.
            version: of the dataset; 0 for the newest that is not withdrawn.
            charter: as the organisation holds to it.

        Raises:
            InputError: there is no such version.
            ReleaseRefused: a signature is wrong, or it is another dataset's.
            PeerError, TransportError: as every call.
        """
        answer = self._release(name, version)
        signed = read_manifest(answer.signed_manifest)
        manifest = verify_manifest(signed, charter)
        # A validly signed manifest of another dataset or version must not stand in for this one.
        if manifest.name != name or version not in (0, manifest.version):
            raise ReleaseRefused(
                f"the coordinator answered with {manifest.name} version {manifest.version}, {name} version "
                f"{version or 'newest'} was asked for; tell the other members"
            )
        gone = answer.signed_withdrawal
        return signed, answer.signed_manifest, verify_withdrawal(gone, manifest, charter) if gone else None

    def attestation(self, name: str, version: int) -> bytes:
        """attestation.json of one version, not verified yet."""
        data = self._release(name, version).attestation
        if not data:
            raise InputError(f"{name} version {version} has no attestation at the coordinator; ask its operator")
        if len(data) > MAXIMUM_ATTESTATION_BYTES:
            raise PeerError(f"the coordinator sent {len(data):,} bytes as an attestation; refused")
        return data

    @contextmanager
    def open_file(
        self, name: str, version: int, entry: FileEntry, start: int = 0, stop: int | None = None
    ) -> Iterator[Arriving]:
        """Part of a file; as `headwater.catalogue.fetching.Fetcher`."""
        request = catalogue_pb2.DownloadFileRequest(name=name, version=version, path=entry.path, offset=start)
        end = entry.size_bytes if stop is None else stop
        # A large file takes long and its pieces must not: the allowance grows with what is to come.
        allowed = min(_LONGEST_SECONDS, self._timeout_seconds * (1 + max(0, end - start) / 2**24))
        call = self._stub.DownloadFile(request, timeout=allowed)
        try:
            first = self._first(call)
            if (first.size_bytes, first.sha256, first.data) != (entry.size_bytes, entry.sha256, b""):
                raise PeerError(f"the coordinator has another {entry.path} than the signed manifest lists; refused")
            yield Arriving(start, self._pieces(call, end - start if stop is not None else None))
        finally:
            call.cancel()

    def _first(self, call: Any) -> catalogue_pb2.DownloadFileResponse:
        try:
            answer: catalogue_pb2.DownloadFileResponse = next(call)
        except StopIteration as error:
            raise BrokenLine("the coordinator ended a download before it began; try again") from error
        except grpc.RpcError as error:
            raise self._broken(error) from error
        return answer

    def _pieces(self, call: Any, left: int | None) -> Iterator[bytes]:
        try:
            for answer in call:
                data: bytes = answer.data
                if left is None:
                    yield data
                    continue
                yield data[:left]
                left -= len(data)
                if left <= 0:
                    return
        except grpc.RpcError as error:
            raise self._broken(error) from error

    def _broken(self, error: grpc.RpcError) -> HeadwaterError:
        explained = self._channel.error_of(error)
        # Away, cut off, too slow or too busy: another attempt goes on from there. A refusal stays one.
        return BrokenLine(str(explained)) if type(explained) is TransportError else explained

    def _release(self, name: str, version: int) -> catalogue_pb2.GetPublishedResponse:
        request = catalogue_pb2.GetPublishedRequest(name=name, version=version)
        answer: catalogue_pb2.GetPublishedResponse = self._call(self._stub.GetRelease, request)
        return answer

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise self._channel.error_of(error) from error


def _listing(each: catalogue_pb2.PublishedRelease) -> Listing:
    try:
        return Listing(
            name=each.name,
            version=each.version,
            title=each.title,
            created=each.created,
            rows=each.rows,
            columns=each.columns,
            size_bytes=each.size_bytes,
            digest=each.release_digest,
            privacy=each.privacy,
            organisations=each.organisations,
        )
    except ValidationError as error:
        raise PeerError(
            f"the coordinator's list of datasets is none: {first_problem(error)}; ask its operator"
        ) from error
