"""Who may see, read and ask for what in the catalogue; every route stands behind it."""

from headwater_server.catalogue.access.reader import (
    NOBODY,
    AccessRules,
    Reader,
    VisibleReleases,
    current_reader,
)

__all__ = ["NOBODY", "AccessRules", "Reader", "VisibleReleases", "current_reader"]
