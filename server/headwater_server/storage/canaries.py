"""Opened canaries in SQL."""

from collections.abc import Sequence

from sqlalchemy import insert, select, update

from headwater.audit.canaries.commitment import CanarySecret
from headwater.errors import InputError
from headwater_server.services.ports import CanaryOpening
from headwater_server.storage import tables
from headwater_server.storage.database import Database

__all__ = ["SqlCanaries"]

_OPENINGS = tables.canary_openings


class SqlCanaries:
    """`Storage`'s part about opened canaries; see there for what each method promises."""

    _database: Database

    def add_canary_opening(self, opening: CanaryOpening) -> None:
        """Record a member's opened secret."""
        mine = (_OPENINGS.c.run_id == opening.run_id) & (_OPENINGS.c.member_id == opening.member_id)
        with self._database.transaction() as connection:
            # A write first: of the same opening sent twice at once, the second waits here and then sees the first.
            runs = tables.runs
            held = connection.execute(update(runs).where(runs.c.run_id == opening.run_id).values(run_id=opening.run_id))
            if held.rowcount != 1:
                raise InputError(f"there is no run {opening.run_id}; headwater-coordinator run list shows all")
            if connection.execute(select(_OPENINGS.c.member_id).where(mine)).first() is None:
                connection.execute(
                    insert(_OPENINGS).values(
                        run_id=opening.run_id,
                        member_id=opening.member_id,
                        candidate=opening.candidate,
                        secret=opening.opened.secret,
                        salt=opening.opened.salt,
                    )
                )

    def canary_openings(self, run_id: str) -> Sequence[CanaryOpening]:
        """What was opened of a run, by member id."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(_OPENINGS).where(_OPENINGS.c.run_id == run_id).order_by(_OPENINGS.c.member_id)
            ).all()
        return [
            CanaryOpening(row.run_id, row.member_id, row.candidate, CanarySecret(row.secret, row.salt)) for row in rows
        ]
