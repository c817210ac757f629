"""The policies that come with this software, read from their data files."""

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import ValidationError

from headwater.agreement.documents import first_problem
from headwater.errors import InputError
from headwater.release.policy.document import Policy

__all__ = ["load_policy", "policy_from_toml", "policy_names"]

_VERSIONS: dict[str, tuple[int, ...]] = {
    "demo": (1, 2),
    "non-private": (1,),
    "research": (1, 2),
    "standard": (1, 2),
    "strict": (1, 2),
}
"""Every version ever shipped, oldest first: a release is judged by the one that it names, for as long as it exists."""


def policy_names() -> tuple[str, ...]:
    """Names of all policies, sorted."""
    return tuple(sorted(_VERSIONS))


@cache
def load_policy(name: str, version: int | None = None) -> Policy:
    """A policy by its name.

    Args:
        name: as a plan says it.
        version: None for the newest.

    Raises:
        InputError: there is none of this name or version in this software.
    """
    versions = _VERSIONS.get(name)
    if versions is None:
        raise InputError(f"there is no policy {name!r}; there are {', '.join(policy_names())}")
    wanted = versions[-1] if version is None else version
    if wanted not in versions:
        raise InputError(
            f"version {wanted} of policy {name} is not in this software, which has up to {versions[-1]}; "
            "update headwater"
        )
    text = files("headwater.release.policy").joinpath(f"{name}-{wanted}.toml").read_text(encoding="utf-8")
    return policy_from_toml(text)


def policy_from_toml(text: str) -> Policy:
    """Read a policy from TOML.

    Raises:
        InputError: not TOML, or not a policy; the line says which entry is wrong.
    """
    try:
        return Policy.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise InputError(f"the policy is not valid: {first_problem(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the policy is not TOML: {error}") from error
