"""Releases that wait for signatures, the decisions on them, attempts at the gate, waivers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of releases."""
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("release_digest", sa.String(64), nullable=False, unique=True),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("charter_digest", sa.String(64), sa.ForeignKey("charters.digest"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "release_decisions",
        sa.Column("release_digest", sa.String(64), sa.ForeignKey("releases.release_digest"), primary_key=True),
        sa.Column("member_id", sa.String(48), primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("recorded", sa.String(32), nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("run_id", "number"),
    )
    op.create_table(
        "waivers",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("waiver_digest", sa.String(64), nullable=False, unique=True),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "waiver_signatures",
        sa.Column("waiver_digest", sa.String(64), sa.ForeignKey("waivers.waiver_digest"), primary_key=True),
        sa.Column("member_id", sa.String(48), primary_key=True),
        sa.Column("signature", sa.String(128), nullable=False),
    )
