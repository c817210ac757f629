"""The operator's command: `headwater-coordinator`."""

import typer

from headwater import __version__
from headwater.cli.entry import run
from headwater_server.cli import (
    access,
    charter,
    compress,
    demo,
    plan,
    release,
    runs,
    sample,
    setup,
    simulate,
    withdrawing,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="headwater-coordinator",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Run a consortium's coordinator: invite organisations, propose plans, start runs, release datasets.

    The coordinator sees sums over organisations, never one organisation's numbers. `demo` shows a whole consortium on
    this machine; `simulate` tries a plan on one table without processes and masks.
    """,
    epilog="Example:  headwater-coordinator init --name 'River hospitals' --home coordinator",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"headwater-coordinator {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before any command."""


for part in (setup, charter, plan, runs, release, withdrawing, access, sample, compress, simulate, demo):
    part.register(app)


def main() -> None:
    """Run the command line."""
    run(app)
