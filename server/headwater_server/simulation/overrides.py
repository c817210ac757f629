"""Settings of a plan changed from the command line: `recipe.rounds=8`."""

from collections.abc import Iterable, Mapping
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from headwater.agreement.documents import first_problem
from headwater.agreement.plan import Plan
from headwater.errors import InputError

__all__ = ["override"]


def override(plan: Plan, changes: Iterable[str]) -> Plan:
    """The plan with settings changed.

    Args:
        plan: as it is.
        changes: `NAME=VALUE` each, in order. NAME is dotted, as the plan's TOML nests it; VALUE is what would stand
            there in TOML, where quotes may be left out: `recipe.base=marginals`, `recipe.rounds=8`,
            `recipe.mixture.rows_per_component=[500, 250]`.

    Raises:
        InputError: no `=`, no such setting, or a value that the setting does not take.
    """
    document = plan.model_dump(mode="json", by_alias=True)
    given = list(changes)
    for change in given:
        name, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set got {change!r}, expected NAME=VALUE; say for instance --set recipe.rounds=8")
        _put(document, name.strip(), _value(text.strip()))
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        raise InputError(f"--set {' '.join(given)} makes no valid plan: {first_problem(error)}") from error


def _put(document: dict[str, Any], name: str, value: object) -> None:
    *groups, last = name.split(".")
    place, where = document, "the plan"
    for group in groups:
        within = place.get(group)
        if not isinstance(within, dict):
            raise InputError(f"the plan has no setting {name!r}; {where} has the groups {_groups(place)}")
        place, where = within, group
    if last not in place:
        raise InputError(f"the plan has no setting {name!r}; {where} has {', '.join(sorted(place))}")
    if isinstance(place[last], dict):
        raise InputError(f"{name} is a group of settings; name one of {', '.join(sorted(place[last]))}")
    place[last] = value


def _groups(place: Mapping[str, Any]) -> str:
    return ", ".join(sorted(name for name, value in place.items() if isinstance(value, dict))) or "(none)"


def _value(text: str) -> object:
    try:
        return tomlkit.value(text).unwrap()
    except (TOMLKitError, ValueError):
        # A word without quotes.
        return text
