"""Options that every command of `headwater-org` shares."""

from pathlib import Path
from typing import Annotated

import typer

from headwater_client.settings import HOME_VARIABLE

__all__ = ["Home", "RunArgument"]

Home = Annotated[
    Path,
    typer.Option(
        "--home", envvar=HOME_VARIABLE, help="Folder of this organisation: keys, policy, records.", show_default=True
    ),
]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Run id, or its first digits (see `plan list`).")]
