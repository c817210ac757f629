"""Licences by the names that dataset hubs know."""

__all__ = ["hub_licence", "licence_address"]

# SPDX identifier: what the Hugging Face Hub calls it.
_KNOWN = {
    "Apache-2.0": "apache-2.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "CC-BY-ND-4.0": "cc-by-nd-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "CDLA-Permissive-2.0": "cdla-permissive-2.0",
    "CDLA-Sharing-1.0": "cdla-sharing-1.0",
    "MIT": "mit",
    "ODbL-1.0": "odbl",
    "PDDL-1.0": "pddl",
}
_SPELT = {name.lower(): name for name in _KNOWN} | {"cc0": "CC0-1.0"}


def hub_licence(licence: str) -> str | None:
    """The hub's word for a licence, or None where it has none: terms in a consortium's own words."""
    name = _SPELT.get(licence.strip().lower())
    return None if name is None else _KNOWN[name]


def licence_address(licence: str) -> str | None:
    """Where the licence can be read, or None for terms in a consortium's own words."""
    name = _SPELT.get(licence.strip().lower())
    return None if name is None else f"https://spdx.org/licenses/{name}"
