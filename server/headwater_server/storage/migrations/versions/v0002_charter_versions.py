"""Versions of the charter: which is in force, and the signatures of members of the version before."""

import sqlalchemy as sa
from alembic import op

from headwater.errors import StorageError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the charter tables anew.

    Raises:
        StorageError: a charter of the older format is there; its members signed other bytes than a version is now.
    """
    if op.get_bind().execute(sa.text("SELECT count(*) FROM charters")).scalar():
        raise StorageError(
            "the database holds a charter of an older format, which no version can follow; keep it for its receipts "
            "and set a new coordinator up"
        )
    op.drop_table("charter_signatures")
    op.drop_table("charters")
    op.create_table(
        "charters",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("coordinator_signature", sa.String(128), nullable=False),
        sa.Column("former_coordinator_signature", sa.String(128)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
    )
    for name, column, state in (
        ("one_charter_in_force", "version", "in force"),
        ("one_charter_proposed", "state", "proposed"),
    ):
        condition = sa.text(f"state = '{state}'")
        op.create_index(name, "charters", [column], unique=True, sqlite_where=condition, postgresql_where=condition)
    for table in ("charter_signatures", "former_charter_signatures"):
        op.create_table(
            table,
            sa.Column(
                "charter_digest", sa.String(64), sa.ForeignKey("charters.digest", ondelete="CASCADE"), primary_key=True
            ),
            sa.Column("member_id", sa.String(48), primary_key=True),
            sa.Column("signature", sa.String(128), nullable=False),
        )
