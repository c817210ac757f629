"""`--json`: what a command found, for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from headwater.catalogue import Listing

__all__ = ["AsJson", "found_as_json", "print_json"]

AsJson = Annotated[bool, typer.Option("--json", help='Print JSON; errors too, as {"error": {"code", "message"}}.')]


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document in ASCII, whatever the terminal."""
    typer.echo(json.dumps(document, indent=2))


def found_as_json(found: "Sequence[tuple[Listing, str]]") -> Mapping[str, Any]:
    """Lines of several catalogues' lists, each with the address of its catalogue."""
    return {"datasets": [{"catalogue": url, **listing.model_dump(mode="json")} for listing, url in found]}
