"""The tables, as SQLAlchemy Core knows them; migrations/ makes them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = [
    "access_tokens",
    "approvals",
    "attempts",
    "canary_openings",
    "charter_signatures",
    "charters",
    "dataset_access",
    "download_counts",
    "former_charter_signatures",
    "invitations",
    "members",
    "metadata",
    "progress",
    "release_decisions",
    "releases",
    "round_entries",
    "runs",
    "sample_jobs",
    "sample_totals",
    "waiver_signatures",
    "waivers",
]

metadata = MetaData()

invitations = Table(
    "invitations",
    metadata,
    Column("secret_sha256", String(64), primary_key=True),
    Column("member_id", String(48), nullable=False),
    Column("name", Text, nullable=False),
    Column("expires", String(32), nullable=False),
    Column("redeemed", String(32)),
)

members = Table(
    "members",
    metadata,
    Column("member_id", String(48), primary_key=True),
    Column("name", Text, nullable=False),
    Column("identity_key", String(64), nullable=False),
    Column("flower_public_key", Text, nullable=False),
    Column("certificate_pem", LargeBinary, nullable=False),
    Column("certificate_sha256", String(64), nullable=False),
    Column("enrolled", String(32), nullable=False),
)

charters = Table(
    "charters",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("coordinator_signature", String(128), nullable=False),
    Column("former_coordinator_signature", String(128)),
    Column("state", String(16), nullable=False),
    Column("number", Integer, nullable=False, unique=True),
    # Whatever a race between commands would have: one charter of a version is in force, and one at most is proposed.
    Index(
        "one_charter_in_force",
        "version",
        unique=True,
        sqlite_where=text("state = 'in force'"),
        postgresql_where=text("state = 'in force'"),
    ),
    Index(
        "one_charter_proposed",
        "state",
        unique=True,
        sqlite_where=text("state = 'proposed'"),
        postgresql_where=text("state = 'proposed'"),
    ),
)

charter_signatures = Table(
    "charter_signatures",
    metadata,
    Column("charter_digest", String(64), ForeignKey("charters.digest", ondelete="CASCADE"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("signature", String(128), nullable=False),
)

former_charter_signatures = Table(
    "former_charter_signatures",
    metadata,
    Column("charter_digest", String(64), ForeignKey("charters.digest", ondelete="CASCADE"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("signature", String(128), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(32), nullable=False, unique=True),
    Column("plan_name", Text, nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("rounds_planned", Integer, nullable=False),
    Column("proposal", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("created", String(32), nullable=False),
    Column("result", Text),
)

approvals = Table(
    "approvals",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("decision", String(16), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("recorded", String(32), nullable=False),
)

round_entries = Table(
    "round_entries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(32), ForeignKey("runs.run_id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("round_entries_of_run", "run_id", "number"),
)

progress = Table(
    "progress",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("run_id", "number"),
)

releases = Table(
    "releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("release_digest", String(64), nullable=False, unique=True),
    Column("run_id", String(32), ForeignKey("runs.run_id"), nullable=False),
    Column("charter_digest", String(64), ForeignKey("charters.digest"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", String(32), nullable=False),
    # A version that was refused is never another release's.
    UniqueConstraint("name", "version"),
)

release_decisions = Table(
    "release_decisions",
    metadata,
    Column("release_digest", String(64), ForeignKey("releases.release_digest"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("recorded", String(32), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "number"),
)

canary_openings = Table(
    "canary_openings",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("candidate", String(64), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)

waivers = Table(
    "waivers",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("waiver_digest", String(64), nullable=False, unique=True),
    Column("run_id", String(32), ForeignKey("runs.run_id"), nullable=False),
    Column("document", LargeBinary, nullable=False),
)

waiver_signatures = Table(
    "waiver_signatures",
    metadata,
    Column("waiver_digest", String(64), ForeignKey("waivers.waiver_digest"), primary_key=True),
    Column("member_id", String(48), primary_key=True),
    Column("signature", String(128), nullable=False),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("token_id", String(16), nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("expires", String(32), nullable=False),
    Column("revoked", String(32)),
    Column("last_used", String(10)),
)

dataset_access = Table(
    "dataset_access",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("level", String(16), nullable=False),
    Column("projects", Text, nullable=False),
    Column("changed", String(32), nullable=False),
)

# No address, no token, no hour: who downloaded a file cannot be told from it.
download_counts = Table(
    "download_counts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("path", String(255), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

sample_jobs = Table(
    "sample_jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(32), nullable=False, unique=True),
    Column("owner", String(128), nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("release_digest", String(64), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("expected_seconds", Float, nullable=False),
    Column("created", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows_done", BigInteger, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("started", String(32), nullable=False),
    Column("finished", String(32), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Index("sample_jobs_in_state", "state", "number"),
)

# How much was ever asked of a release, without who: it outlives the jobs.
sample_totals = Table(
    "sample_totals",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("jobs", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)
