"""Options that several commands share."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headwater_server.settings import CoordinatorHome
    from headwater_server.storage import SqlStorage

__all__ = ["HomeOption", "PlanSeed", "RecipeChoice", "Rounds", "open_home", "open_storage", "resolve_run"]

HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="HEADWATER_COORDINATOR_HOME", help="The coordinator's folder."),
]

PlanSeed = Annotated[
    int, typer.Option("--seed", help="Public seed of every draw that is no secret.", min=0, max=2**53 - 1)
]


Rounds = Annotated[
    int | None,
    typer.Option(
        help="Rounds of training at the organisations, of hybrid or adversarial; their own number where left out.",
        min=0,
        max=10_000,
    ),
]


class RecipeChoice(Enum):
    """What a plan may fit, as `recipe.kind` names it."""

    HYBRID = "hybrid"
    MARGINALS = "marginals"
    ADVERSARIAL = "adversarial"
    MIXTURE = "mixture"


def open_home(folder: Path) -> "CoordinatorHome":
    """The home in a folder."""
    from headwater_server.settings import CoordinatorHome

    return CoordinatorHome(folder)


def open_storage(home: "CoordinatorHome") -> "SqlStorage":
    """The storage of a home that was set up."""
    from headwater_server.storage import SqlStorage

    return SqlStorage(home.database_url(home.settings()))


def resolve_run(storage: "SqlStorage", run: str) -> str:
    """A run's full id from its first digits.

    Raises:
        InputError: no run begins so, or several do.
    """
    from headwater.agreement.run_ids import find_run

    return find_run(run, [record.run_id for record in storage.runs()], "headwater-coordinator run list")
