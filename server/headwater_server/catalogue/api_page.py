"""A readable page of the API, made from its own OpenAPI document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Operation", "Parameter", "SchemaRow", "SchemaTable", "operations_of", "schemas_of", "type_in_words"]

_METHODS = ("get", "post", "put", "patch", "delete")
_ANSWERS = {"200": "the answer", "422": "a value that this call cannot take"}

# A JSON document of any shape: nothing more is known of it here.
_Json = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One value that a call takes."""

    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One call.

    Attributes:
        id: of the OpenAPI operation, for links to it.
        method: in capitals.
        path: with its parameters in braces.
        summary: a few words.
        description: more of them.
        parameters: in path and query.
        body: what is sent, "" where nothing is.
        answers: by status, in words.
        answer_schema: name of what 200 gives, "" where it is a file.
    """

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: Sequence[Parameter]
    body: str
    answers: Sequence[tuple[str, str]]
    answer_schema: str


@dataclass(frozen=True)
class SchemaRow:
    """One member of an object."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class SchemaTable:
    """One kind of object that the API gives or takes."""

    name: str
    description: str
    rows: Sequence[SchemaRow]


def operations_of(document: _Json) -> Sequence[Operation]:
    """Every call of an OpenAPI 3 document, in its order."""
    return [
        _operation(method, path, item[method])
        for path, item in document.get("paths", {}).items()
        for method in _METHODS
        if method in item
    ]


def schemas_of(document: _Json) -> Sequence[SchemaTable]:
    """Every object that is named, by name."""
    named = document.get("components", {}).get("schemas", {})
    tables = []
    for name in sorted(named):
        schema = named[name]
        required = set(schema.get("required", ()))
        rows = [
            SchemaRow(key, type_in_words(value), key in required, _words(value.get("description", "")))
            for key, value in schema.get("properties", {}).items()
        ]
        tables.append(SchemaTable(name, _words(schema.get("description", "")), rows))
    return tables


def type_in_words(schema: _Json) -> str:
    """The type of a value: "integer", "list of FileLink", "text or nothing"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(type_in_words(each) for each in schema[word]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    match schema.get("type"):
        case "array":
            return f"list of {type_in_words(schema.get('items', {}))}"
        case "null":
            return "nothing"
        case "string":
            return "text"
        case None:
            return "anything"
        case kind:
            return str(kind)


def _operation(method: str, path: str, call: _Json) -> Operation:
    answers = call.get("responses", {})
    return Operation(
        id=str(call.get("operationId", re.sub(r"\W+", "_", f"{method}{path}"))),
        method=method.upper(),
        path=path,
        summary=str(call.get("summary", "")),
        description=_words(call.get("description", "")),
        parameters=[_parameter(each) for each in call.get("parameters", ())],
        body=_content(call.get("requestBody", {})),
        answers=[
            (status, _ANSWERS.get(status, "") or _words(answer.get("description", "")))
            for status, answer in answers.items()
        ],
        answer_schema=next((_content(answer) for status, answer in answers.items() if status.startswith("2")), ""),
    )


def _parameter(each: _Json) -> Parameter:
    return Parameter(
        name=str(each["name"]),
        place=str(each["in"]),
        type=type_in_words(each.get("schema", {})),
        required=bool(each.get("required", False)),
        description=_words(each.get("description") or each.get("schema", {}).get("description", "")),
    )


def _content(message: _Json) -> str:
    content = message.get("content", {})
    if "application/json" in content:
        said = type_in_words(content["application/json"].get("schema", {}))
        return "" if said == "anything" else said
    return ", ".join(content)


def _words(text: object) -> str:
    # Docstrings keep their sections; a page wants the sentence.
    said = str(text).split("\f", 1)[0]
    return re.split(r"\n\s*(?:Args|Attributes|Returns|Raises):", said)[0].strip()
