"""Refusals of the JSON API: one shape, stable codes, for every status and whoever refuses."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

__all__ = ["CODES", "ApiProblem", "ErrorAnswer", "code_of", "described", "invalid_request"]

CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "bad_request",
        401: "token_required",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        409: "conflict",
        410: "withdrawn",
        412: "precondition_failed",
        413: "too_large",
        414: "uri_too_long",
        415: "media_type",
        416: "range",
        422: "invalid_parameter",
        429: "rate_limited",
        431: "headers_too_large",
        500: "damaged",
        503: "unavailable",
    }
)
"""The code that goes with a status where a refusal names no other."""

_WORDS: Mapping[int, str] = MappingProxyType(
    {
        400: "The request is malformed.",
        401: "A token is needed (`token_required`), or the one shown is none (`bad_token`).",
        403: "The token is not good for this (`forbidden`), or the request comes from another site's page "
        "(`cross_site`).",
        404: "There is no such dataset, version or file, or none that this reader may know of.",
        405: "The path has no such method; `Allow` lists those that it has.",
        409: "The job is not there yet, so its file is not either (`not_finished`).",
        410: "The version was withdrawn and this file of it is gone; its withdrawn.json says why.",
        412: "The content is another than If-Match or If-Unmodified-Since asks for.",
        413: "The request's body is larger than any that is needed here.",
        414: "Path and query are longer than any that is needed here.",
        415: "The request's body is not application/json.",
        416: "The range lies outside the file, is malformed, or asks for too many parts.",
        422: "A parameter has a value that it cannot have (`invalid_parameter`), or there is no such parameter "
        "(`unknown_parameter`).",
        429: "More requests than one reader may send; `Retry-After` says how many seconds to wait.",
        431: "Too many or too long header lines.",
        500: "What is asked for is damaged here (`damaged`), or the catalogue failed (`internal`).",
        503: "Who may read cannot be looked up now; `Retry-After` says how many seconds to wait.",
    }
)


class ErrorBody(BaseModel):
    """What was refused, for programs by its code and for people by its message."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Stable: programs may rely on it.", examples=["not_found"])
    message: str = Field(
        description="One line: what is, what was expected, what to do. It may change.",
        examples=["there is no such version in this catalogue; see /api/v1/releases"],
    )


class ErrorAnswer(BaseModel):
    """Every refusal of the API."""

    model_config = ConfigDict(frozen=True)

    error: ErrorBody


class ApiProblem(HTTPException):
    """A refusal with a code of its own."""

    def __init__(self, status_code: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status_code, message, None if headers is None else dict(headers))
        self.code = code


def code_of(problem: HTTPException) -> str:
    """The stable code of a refusal."""
    # A refusal of another part may have a code finer than its status, too.
    own = getattr(problem, "code", None)
    return own if isinstance(own, str) else CODES.get(problem.status_code, "refused")


def invalid_request(error: RequestValidationError) -> ApiProblem:
    """A request that FastAPI could not read, in our shape and without what was sent."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("query", "path", "body", "header")]
    if first["type"] == "extra_forbidden":
        return ApiProblem(422, "unknown_parameter", "there is no such parameter here; /api lists those of each call")
    said = str(first["msg"]).removeprefix("Value error, ")
    # The place is a declared name: of undeclared ones the line above says nothing.
    where = ".".join(place[:3]) or "the request"
    return ApiProblem(422, "invalid_parameter", f"{where}: {said}")


def described(statuses: Sequence[int]) -> dict[str, Any]:
    """OpenAPI's responses for statuses of this table, by status."""
    return {
        str(status): {
            "description": _WORDS[status],
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/ErrorAnswer"},
                    "example": {"error": {"code": CODES[status], "message": "what is; what was expected; what to do"}},
                }
            },
        }
        for status in statuses
    }
