"""The invitation: one line of text that lets one organisation enrol once."""

import base64
import binascii
import re
import secrets
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator

from headwater.agreement.documents import Document, HexDigest, MemberId
from headwater.errors import InputError

__all__ = ["SECRET_BYTES", "Invitation", "secret_digest"]

SECRET_BYTES = 32

_MAXIMUM_TOKEN = 4096
_HexSecret = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{2 * SECRET_BYTES}}}$")]
# A DNS name, an IPv4 address or an IPv6 address: what can be dialled and nothing that a URL could smuggle in.
_HOST = re.compile(r"[A-Za-z0-9:]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9:])?")


def secret_digest(secret: bytes) -> str:
    """What the coordinator stores of an invitation's secret: SHA-256, 64 hexadecimal digits.

    The secret has 256 random bits, so a plain digest cannot be searched.
    """
    return sha256(b"headwater/invitation/1\0" + secret).hexdigest()


class Invitation(Document):
    """Where to enrol, whom to trust there, and the one-time secret.

    It travels out of band, over a channel on which nobody reads along. Whoever reads it first can enrol in the
    member's place; the fingerprints in the charter, compared by telephone, would show it.

    Attributes:
        host: enrolment listener's DNS name or IP address, as the certificate names it.
        port: its port.
        ca_sha256: SHA-256 of the consortium's CA certificate (DER): the one root that the newcomer will trust.
        member_id: the id that the charter will list.
        name: the name that people know the organisation by.
        secret: 32 random bytes in hexadecimal; never in a repr.
    """

    version: Literal[1] = 1
    host: str
    port: int = Field(ge=1, le=65535)
    ca_sha256: HexDigest
    member_id: MemberId
    name: str = Field(min_length=1, max_length=200)
    secret: _HexSecret = Field(repr=False)

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if _HOST.fullmatch(value) is None:
            raise ValueError("not a host name or IP address")
        return value

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("not one printable line without blanks around it")
        return value

    @classmethod
    def create(cls, *, host: str, port: int, ca_sha256: str, member_id: str, name: str) -> Self:
        """Make an invitation with a fresh secret from the operating system.

        Raises:
            InputError: the address, member id or name is not usable.
        """
        try:
            return cls(
                host=host,
                port=port,
                ca_sha256=ca_sha256,
                member_id=member_id,
                name=name,
                secret=secrets.token_hex(SECRET_BYTES),
            )
        except ValueError as error:
            raise InputError(
                f"no invitation can be made for member {member_id!r} ({name!r}) at {host}:{port}; "
                "a member id is lower-case letters, digits and hyphens, a name one printable line, "
                "a host a DNS name or IP address"
            ) from error

    @property
    def secret_sha256(self) -> str:
        """What the coordinator keeps and looks the invitation up by."""
        return secret_digest(bytes.fromhex(self.secret))

    def to_token(self) -> str:
        """The invitation as one line: base64url of its canonical JSON, without padding."""
        return base64.urlsafe_b64encode(self.to_bytes()).decode("ascii").rstrip("=")

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Read a token as it was pasted; blanks and line breaks that a mail program put in do not matter.

        Raises:
            InputError: it is cut short, garbled or no token at all; the line never repeats it.
        """
        text = "".join(token.split())
        problem = "ask the operator for it again, or paste it whole (one line, from `headwater-coordinator invite`)"
        if not text:
            raise InputError(f"the invitation token is empty; {problem}")
        if len(text) > _MAXIMUM_TOKEN:
            raise InputError(f"the invitation token has {len(text)} characters, one has a few hundred; {problem}")
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"the invitation token is cut short or garbled (not base64url); {problem}") from error
        try:
            invitation = cls.from_bytes(data)
        except InputError as error:
            raise InputError(f"the invitation token is cut short or garbled; {problem}") from error
        if invitation.to_token() != text:
            # The last character can carry bits that decode to nothing: one token, one spelling.
            raise InputError(f"the invitation token is garbled at its end; {problem}")
        return invitation
