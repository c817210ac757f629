"""Which sessions an organisation's store holds for live."""

from headwater_client.store import Store

__all__ = ["live_sessions"]


def live_sessions(store: Store) -> tuple[str, ...]:
    """Runs in which the organisation takes part right now, as the store's file says."""
    found = store._connection.execute("SELECT run_id FROM live_session ORDER BY run_id").fetchall()
    return tuple(str(row[0]) for row in found)
