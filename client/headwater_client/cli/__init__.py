"""The partner organisation's command: `headwater-org`."""

import typer

from headwater import __version__
from headwater.cli.entry import run
from headwater_client.cli import charter, cohort, datasets, enrolment, ledger, plan, receipts, release, rows

__all__ = ["app", "main"]

app = typer.Typer(
    name="headwater-org",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Take part in a consortium that makes a synthetic dataset together. Your rows stay on this machine.

    The way through, once: `enroll` with the token that the operator sent, `charter show` and
    compare the fingerprints with the other organisations, `charter accept`. For each run: `plan
    show`, `check` your rows against it, `plan approve` or `plan refuse`. And
    `serve`, which takes part in the runs that you approved and in no other. Afterwards `receipts verify`
    proves what was summed, `cohort list` with whom, and
    `ledger show` what it cost each of your records. What was published is under `datasets`.

    Everything lives in one folder: give it with --home, or set HEADWATER_ORG_HOME.
    """,
    epilog="Example:  headwater-org enroll eyJjYV9zaGEy… --home hospital",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"headwater-org {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before any command."""


enrolment.register(app)
charter.register(app)
plan.register(app)
rows.register(app)
release.register(app)
receipts.register(app)
cohort.register(app)
ledger.register(app)
datasets.register(app)


def main() -> None:
    """Run the command line."""
    run(app)
