"""The strict base of every agreed document: frozen, unknown keys refused, canonical bytes, one digest."""

import json
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from headwater.canonical import canonical_json, sha256_hex
from headwater.errors import InputError

__all__ = [
    "DataSetId",
    "Document",
    "HexDigest",
    "HexKey",
    "HexSignature",
    "Instant",
    "MemberId",
    "RunId",
    "first_problem",
    "instant_of",
    "why_none",
]

DataSetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
"""One collection of records of a member, whatever rows are in it today: lower-case letters, digits and hyphens."""

MemberId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
"""An organisation in the charter: lower-case letters, digits and hyphens; also its certificate's common name."""

RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""One run of a plan: 16 random bytes in hexadecimal."""

HexDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexSignature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


def _is_moment(text: str) -> str:
    # Only a moment that there is sorts among others: neither the 99th of a month nor digits of another script.
    datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    return text


Instant = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
    AfterValidator(_is_moment),
]
"""A moment in UTC, to the second: 2026-11-21T09:30:00Z."""


def instant_of(moment: datetime) -> str:
    """A moment as documents name it.

    Args:
        moment: aware.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_PLAIN = {
    "missing": "this entry is missing; write it",
    "extra_forbidden": "there is no such entry; correct its name or delete it",
    "finite_number": "expected a finite number",
}
"""The validator's types of problems whose own words speak to programmers."""


def first_problem(error: ValidationError) -> str:
    """The first problem of a refused document as "where: what", and how many more there are."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"]) or "the document"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    what = _PLAIN.get(first["type"], first["msg"].removeprefix("Value error, "))
    return f"{where}: {what}{more}"


def why_none(error: InputError) -> str:
    """Why `Document.from_bytes` refused a file, in a few words for whoever was handed it.

    Args:
        error: as it was raised.
    """
    match error.__cause__:
        case ValidationError() as cause if cause.errors()[0]["loc"]:
            return first_problem(cause)
        case ValidationError():
            return "other JSON"
        case None:
            return "not in canonical form: it was indented, sorted or edited since it was written"
        case _:
            return "not JSON"


class Document(BaseModel):
    """A document that is digested or signed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, populate_by_name=True, allow_inf_nan=False)

    def to_bytes(self) -> bytes:
        """Canonical JSON (RFC 8785): what is digested and signed."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
        return sha256_hex(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document from its canonical bytes.

        Raises:
            InputError: not JSON, not this kind of document, or not in canonical form (a second spelling of one
                document would have a second digest).
        """
        kind = cls.__name__
        try:
            document = cls.model_validate(json.loads(data))
        except ValidationError as error:
            raise InputError(f"this is not a valid {kind}: {first_problem(error)}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"this is not a {kind}: it is not JSON; fetch it again") from error
        if document.to_bytes() != bytes(data):
            raise InputError(f"this {kind} is not in canonical form; fetch it again from where it was written")
        return document
