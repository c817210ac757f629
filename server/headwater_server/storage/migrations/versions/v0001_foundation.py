"""Invitations, members, charters, runs, decisions, records of rounds, progress."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "invitations",
        sa.Column("secret_sha256", sa.String(64), primary_key=True),
        sa.Column("member_id", sa.String(48), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("expires", sa.String(32), nullable=False),
        sa.Column("redeemed", sa.String(32)),
    )
    op.create_table(
        "members",
        sa.Column("member_id", sa.String(48), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("identity_key", sa.String(64), nullable=False),
        sa.Column("flower_public_key", sa.Text, nullable=False),
        sa.Column("certificate_pem", sa.LargeBinary, nullable=False),
        sa.Column("certificate_sha256", sa.String(64), nullable=False),
        sa.Column("enrolled", sa.String(32), nullable=False),
    )
    op.create_table(
        "charters",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("coordinator_signature", sa.String(128), nullable=False),
    )
    op.create_table(
        "charter_signatures",
        sa.Column(
            "charter_digest", sa.String(64), sa.ForeignKey("charters.digest", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("member_id", sa.String(48), primary_key=True),
        sa.Column("signature", sa.String(128), nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(32), nullable=False, unique=True),
        sa.Column("plan_name", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("rounds_planned", sa.Integer, nullable=False),
        sa.Column("proposal", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("result", sa.Text),
    )
    op.create_table(
        "approvals",
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), primary_key=True),
        sa.Column("member_id", sa.String(48), primary_key=True),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("recorded", sa.String(32), nullable=False),
    )
    op.create_table(
        "round_entries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("round_entries_of_run", "round_entries", ["run_id", "number"])
    op.create_table(
        "progress",
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "number"),
    )
