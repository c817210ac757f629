"""Options that several commands share."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from headwater.agreement.generator_terms import GeneratorTerms
    from headwater.privacy.budget import Budget
    from headwater_server.settings import CoordinatorHome
    from headwater_server.storage import SqlStorage

__all__ = [
    "Delta",
    "EngineChoice",
    "Epsilon",
    "GeneratorChoice",
    "HomeOption",
    "Mode",
    "ModeChoice",
    "MostRows",
    "PlanSeed",
    "RecipeChoice",
    "Records",
    "Rounds",
    "Unit",
    "UnitChoice",
    "budget_of",
    "open_home",
    "open_storage",
    "resolve_run",
]

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


class EngineChoice(Enum):
    """What draws very many rows."""

    LOCAL = "local"
    RAY = "ray"


class RecipeChoice(Enum):
    """What a plan may fit, as `recipe.kind` names it."""

    HYBRID = "hybrid"
    MARGINALS = "marginals"
    ADVERSARIAL = "adversarial"
    MIXTURE = "mixture"


class UnitChoice(Enum):
    """Whom a budget protects, as `privacy.unit` names it."""

    RECORD = "record"
    ENTITY = "entity"


class ModeChoice(Enum):
    """Whose noise must suffice, as `privacy.mode` names it."""

    JOINT = "joint"
    LOCAL = "local"


class GeneratorChoice(Enum):
    """What readers may have of a generator, as it is typed."""

    KEPT = "kept"
    ON_REQUEST = "on-request"
    RELEASED = "released"

    @property
    def terms(self) -> "GeneratorTerms":
        """As plans and manifests say it."""
        terms: dict[str, GeneratorTerms] = {"kept": "kept", "on-request": "on request", "released": "released"}
        return terms[self.value]


Epsilon = Annotated[
    float | None,
    typer.Option(
        help="Differential privacy: ε of everything that a run releases, above 0 and at most 20. The options of the "
        "budget that follow need it; without it the run is NOT DIFFERENTIALLY PRIVATE."
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(help="δ of the budget, from 1e-12 to 1e-3 and below 1 / --most-rows; 1e-6 where it is left out."),
]
Unit = Annotated[
    UnitChoice | None,
    typer.Option(help="Whom the budget protects: a record, or an entity with all of at most --records records."),
]
Records = Annotated[int | None, typer.Option(help="Most records of one entity, with --unit entity.", min=1)]
MostRows = Annotated[
    int | None,
    typer.Option(help="Public upper bound on all organisations' training rows together; 100,000 by default.", min=1),
]
Mode = Annotated[
    ModeChoice | None,
    typer.Option(
        help="joint: the organisations share the noise under secure aggregation; local: each adds all of it, for those "
        "that trust nobody. joint by default."
    ),
]


def budget_of(
    epsilon: float | None,
    delta: float | None = None,
    unit: UnitChoice | None = None,
    records: int | None = None,
    most_rows: int | None = None,
    mode: ModeChoice | None = None,
) -> "Budget | None":
    """The privacy budget that the options name, with its own defaults for what they leave out.

    Returns:
        None where no ε is given.

    Raises:
        InputError: another option of the budget without ε, or no budget that may stand in a plan.
    """
    from pydantic import ValidationError

    from headwater.errors import InputError
    from headwater.privacy.budget import LARGEST_EPSILON, Budget

    given = {"delta": delta, "unit": unit, "records": records, "most_rows": most_rows, "mode": mode}
    named = {name: value for name, value in given.items() if value is not None}
    if epsilon is None:
        if named:
            raise InputError(f"{_option(next(iter(named)))} belongs to a privacy budget; say --epsilon too")
        return None
    if not 0 < epsilon <= LARGEST_EPSILON:
        raise InputError(
            f"--epsilon is {epsilon:g}, expected a number above 0 and at most {LARGEST_EPSILON:g}, beyond which nobody "
            "is protected; between 0.3 and 8 is usual, and without --epsilon a run is NOT DIFFERENTIALLY PRIVATE"
        )
    if unit is UnitChoice.ENTITY and records is None:
        raise InputError(
            "--unit entity protects a person with all of at most --records records, and no number is given; say "
            "--records, at the price of more noise for more"
        )
    try:
        return Budget.model_validate(
            {"epsilon": epsilon, **{k: v.value if isinstance(v, Enum) else v for k, v in named.items()}}
        )
    except ValidationError as error:
        raise InputError(_wrong_budget(error)) from error


def _wrong_budget(error: "ValidationError") -> str:
    first = error.errors(include_url=False)[0]
    what = first["msg"].removeprefix("Value error, ")
    where = f"{_option(str(first['loc'][0]))}: " if first["loc"] else ""
    return f"the privacy budget does not hold: {where}{what}; correct the options"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
