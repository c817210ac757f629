"""The partner organisation: its rows, keys, policy and part in a run.

`Organisation` is the typed API; it is imported when it is first asked for, so that importing this package stays cheap.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater_client.organisation import Organisation

__all__ = ["Organisation"]


def __getattr__(name: str) -> object:
    if name == "Organisation":
        from headwater_client.organisation import Organisation

        return Organisation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
