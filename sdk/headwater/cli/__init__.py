"""The researcher's command: `headwater`."""

import typer

from headwater import __version__
from headwater.cli import audit, cache, catalogue, sample, schema
from headwater.cli.entry import run

__all__ = ["app", "main"]

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Find, download and verify synthetic datasets that organisations made together.

    A dataset is checked against the consortium's charter: name the catalogue once with `headwater catalogue add`, then
    `headwater list`, `search`, `show`, `download` and `verify`; `headwater cache` shows what Python loaded, and
    `headwater sample` draws from a released generator.
    `headwater schema` drafts and checks the contract between organisations. `headwater audit` attacks a synthetic
    table on plain files, whatever made it.
    """,
    epilog="Example:  headwater catalogue add https://data.example.org:9445 --ca ca.crt --charter 3f0c…",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"headwater {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before any command."""


schema.register(app)
catalogue.register(app)
sample.register(app)
cache.register(app)
audit.register(app)


def main() -> None:
    """Run the command line."""
    run(app)
