"""Whether the rows of a release are those that organisations attacked: from data.parquet to their receipts."""

from pathlib import Path

from headwater.agreement.receipt_check import CheckedReceipts, CheckedRound
from headwater.canonical import sha256_hex
from headwater.errors import HeadwaterError, ReleaseRefused
from headwater.evidence.candidate_file import pack_candidate
from headwater.recipe.tasks import audit_task
from headwater.release.evidence import Attacked
from headwater.schema.conform import load_table
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["attacked_digest", "attacked_rounds", "check_attacked", "check_attacked_in", "read_data"]


def attacked_digest(table: Table) -> str:
    """SHA-256 of rows as an audit's Task names them, the same for a table and for what a release holds of it.

    Raises:
        InputError: the rows are none that an audit takes.
    """
    return sha256_hex(pack_candidate(table))


def read_data(path: Path, schema: Schema) -> Table:
    """The rows of data.parquet, whose digest was checked.

    Raises:
        ReleaseRefused: they do not hold to the schema.
    """
    import pyarrow.parquet as pq

    try:
        return load_table(pq.read_table(path), schema)
    except (HeadwaterError, OSError, ValueError) as error:
        raise ReleaseRefused(f"{path.name} does not hold rows of the release's own schema; do not use it") from error


def check_attacked(attacked: Attacked, table: Table) -> None:
    """Hold the rows of a release to what its audit.json says was attacked.

    Args:
        attacked: of audit.json.
        table: of data.parquet.

    Raises:
        ReleaseRefused: other rows are published than were attacked.
    """
    try:
        digest = attacked_digest(table)
    except HeadwaterError as error:
        raise ReleaseRefused(f"the rows of the release are none that can be attacked: {error}") from error
    if digest != attacked.candidate:
        raise ReleaseRefused(
            f"the release holds rows {digest[:16]}…, its audit attacked {attacked.candidate[:16]}…: another table was "
            "put in the place of the one that was audited; do not use the release, tell the consortium"
        )


def check_attacked_in(receipts: CheckedReceipts, attacked: Attacked, table: Table) -> bool:
    """Hold what was attacked to a run's receipts: one of its sums is of the very Task that attacked these rows.

    Args:
        receipts: of one member, verified to the end that the release names.
        attacked: of audit.json, held to the rows.
        table: of data.parquet.

    Returns:
        Whether the member's own counts are in that sum.

    Raises:
        ReleaseRefused: no sum of the run attacked these rows.
    """
    audited = attacked_rounds(receipts, attacked, table)
    if not audited:
        raise ReleaseRefused(
            f"no sum in the receipts of {receipts.member} attacked the rows of this release: its figures are of "
            "another table or were never counted; do not use the release, tell the consortium"
        )
    return audited[-1].own


def attacked_rounds(receipts: CheckedReceipts, attacked: Attacked, table: Table) -> tuple[CheckedRound, ...]:
    """The sums of a run that attacked a table, by the receipts' own plan."""
    # All of a Task but the rows' digest, the step and the sizes follows from the plan.
    task = audit_task(receipts.plan, attacked.step, pack_candidate(table), attacked.checks)
    digest = sha256_hex(task.to_bytes())
    return tuple(each for each in receipts.rounds if each.summed and each.task == digest)
