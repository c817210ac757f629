"""Which member is on the other end of a mutually authenticated connection."""

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from typing import Protocol

from headwater.errors import InputError, PeerError
from headwater.rpc.certificates import common_name, load_certificate, sha256_of
from headwater_server.services.ports import MemberStore

__all__ = ["AuthenticatedContext", "authenticated_member"]


class AuthenticatedContext(Protocol):
    """The part of a gRPC servicer context that tells who called."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Properties of the peer that TLS established."""
        ...


async def authenticated_member(context: AuthenticatedContext, members: MemberStore) -> str:
    """The member that the peer's certificate speaks for; call it before reading a message (protocol 4.9).

    TLS has verified the chain, the dates and the purpose. Here the certificate must also be the very one on record, so
    that a member which enrolled anew shuts its lost key out.

    Raises:
        PeerError: no certificate, a stranger's, or one that was replaced.
    """
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise PeerError("no client certificate was shown; enrol first: headwater-org enroll TOKEN")
    try:
        certificate = load_certificate(certificates[0], "the client certificate")
    except InputError as error:
        raise PeerError(str(error)) from error
    member_id = common_name(certificate)
    on_record = await asyncio.to_thread(members.certificate_sha256, member_id)
    if on_record is None:
        raise PeerError(f"{member_id!r} is not a member of this consortium; ask its operator for an invitation")
    if not hmac.compare_digest(on_record, sha256_of(certificate)):
        raise PeerError(f"this certificate of {member_id!r} was replaced by a newer one; use that, or enrol again")
    return member_id
