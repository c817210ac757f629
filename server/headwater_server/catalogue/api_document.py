"""The OpenAPI document: what FastAPI derives from the routes, with what holds for every call of this site."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from headwater import __version__
from headwater_server.catalogue.api_errors import ErrorAnswer, described
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["describe_api"]

_ABOUT = """\
Datasets of a consortium, synthetic from the first to the last row: what there is, what protects the people behind it,
and the files.

**Nothing that this API says is signed.** What is signed stands in each release's `manifest.json` and
`attestation.json`; `headwater verify` and the Python SDK check both against the charter that a reader pinned.

Every refusal has the body `{"error": {"code", "message"}}`. Codes are stable, messages are for people. Parameters that
there are not are refused. Answers carry an `ETag`; `If-None-Match` saves sending them again.
"""

_TAGS = [
    {"name": "datasets", "description": "What there is: search, versions, one version in full."},
    {"name": "files", "description": "The files of a release, by range, under strong tags and digests."},
    {"name": "samples", "description": "Rows drawn on request, for tokens that may have them drawn."},
    {"name": "charter", "description": "What every signature stands under."},
    {"name": "service", "description": "The catalogue itself."},
]

_EVERYWHERE = (400, 401, 403, 405, 413, 414, 429, 431, 500, 503)
"""Statuses that are decided before a route is reached, or beside all of them."""

_FILES = (404, 410, 412, 416)
_SAMPLES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "request_sample": (404, 410, 415),
        "get_sample": (404,),
        "cancel_sample": (404,),
        "download_sample": (409,),
    }
)
"""Of rows on request, which nobody gets without a token."""

_FILE_CALLS = frozenset({"download_file", "download_sample"})
_OPEN = frozenset({"get_health"})
_METHODS = ("get", "post", "put", "patch", "delete")


def describe_api(app: FastAPI, settings: CatalogueSettings) -> None:
    """Let an application describe itself in full; made when it is first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, settings: CatalogueSettings) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=__version__, description=_ABOUT, routes=app.routes, summary=None)
    made["servers"] = [{"url": settings.address}]
    components = made.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the consortium. Without one a reader has what is public here.",
        }
    }
    schemas = components.setdefault("schemas", {})
    for name, schema in _error_schemas().items():
        schemas[name] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for item in made["paths"].values():
        for method in _METHODS:
            if method in item:
                _complete(item[method])
    used = {tag for item in made["paths"].values() for call in item.values() for tag in call.get("tags", ())}
    made["tags"] = [tag for tag in _TAGS if tag["name"] in used]
    return made


def _complete(call: dict[str, Any]) -> None:
    responses, operation = call["responses"], call["operationId"]
    statuses = [*_EVERYWHERE, 422, *_SAMPLES.get(operation, ())]
    if operation in _FILE_CALLS:
        statuses += _FILES
        _describe_file(call)
    for status, answer in described(sorted(set(statuses))).items():
        # FastAPI's own words for 422 are of a shape that is never sent.
        if status == "422" or status not in responses:
            responses[status] = answer
    call["responses"] = dict(sorted(responses.items()))
    if operation in _OPEN:
        call["security"] = []
    else:
        # An empty requirement beside the scheme: a token may be shown, and must be where the catalogue says 401.
        call["security"] = [{"bearer": []}] if operation in _SAMPLES else [{}, {"bearer": []}]


def _describe_file(call: dict[str, Any]) -> None:
    content = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    responses = call["responses"]
    responses["200"] = {"description": "The whole file.", "content": content}
    responses["206"] = {"description": "The ranges asked for; several as multipart/byteranges.", "content": content}
    responses["304"] = {"description": "The reader has this very file."}


def _error_schemas() -> dict[str, Any]:
    schema = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs")
    return {**inner, "ErrorAnswer": schema}
