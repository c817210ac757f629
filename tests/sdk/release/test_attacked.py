"""The table that was attacked is the table that is released: each way to put another one in its place is refused."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from headwater.agreement.receipt_check import CheckedReceipts, check_receipts
from headwater.canonical import sha256_hex
from headwater.errors import ReleaseRefused
from headwater.evidence.candidate_file import pack_candidate
from headwater.recipe.tasks import audit_task
from headwater.release import Verification, receipts, verify_release
from headwater.release.attacked import attacked_digest, check_attacked_in, read_data
from headwater.release.evidence import Attacked
from headwater.release.policy import load_policy
from headwater.release.receipts import verify_receipts
from headwater.release.rows import candidate_bytes
from support.audited_release import audit_of, evidence_on, pending_release, sign_release
from support.evidences import FEDERATION
from support.fuzzing.agreed import receipt_file
from support.recipes import small_table
from support.releases import Consortium, make_consortium, make_table

CHECKED = check_receipts(receipt_file())
TABLE, OTHER = make_table(), make_table(seed=8)
CHECKS = (("copies", 7), ("linkability", 12))


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


def attacked_in(table_digest: str, checks: tuple[tuple[str, int], ...] = CHECKS, step: int = 3) -> Attacked:
    return Attacked(candidate=table_digest, step=step, checks=checks)


def released(folder: Path, consortium: Consortium, attacked: Attacked | None, head: str = "e" * 64) -> Path:
    """TABLE, published and signed by everybody, of which audit.json says that this was attacked."""
    federation = FEDERATION.model_copy(update={"attacked": attacked, "receipts": head})
    audit = audit_of(evidence_on(TABLE, privacy="none", federation=federation), load_policy("non-private"))
    pending = pending_release(folder, consortium, audit, privacy="none")
    sign_release(pending, consortium)
    return folder


def with_audit(table_digest: bytes, *, own: bool = True) -> CheckedReceipts:
    """Receipts whose last sum attacked this candidate."""
    task = audit_task(CHECKED.plan, 3, table_digest, CHECKS)
    last = replace(CHECKED.rounds[-1], summed=True, own=own, task=sha256_hex(task.to_bytes()))
    return replace(CHECKED, rounds=(*CHECKED.rounds[:-1], last))


@pytest.mark.parametrize("table", [TABLE, OTHER, small_table(60, seed=3)])
def test_rows_keep_their_digest_through_the_release_s_own_file(tmp_path: Path, table: object) -> None:
    file = tmp_path / "data.parquet"
    file.write_bytes(candidate_bytes(table))  # type: ignore[arg-type]
    assert attacked_digest(read_data(file, table.schema)) == attacked_digest(table)  # type: ignore[attr-defined, arg-type]


def test_the_very_rows_that_were_attacked_are_verified(tmp_path: Path, consortium: Consortium) -> None:
    folder = released(tmp_path / "1", consortium, attacked_in(attacked_digest(TABLE)))
    assert verify_release(folder, consortium.charter.charter).organisations == ("east", "north", "west")


def test_another_table_than_was_attacked_is_refused_though_everybody_signed(
    tmp_path: Path, consortium: Consortium
) -> None:
    folder = released(tmp_path / "1", consortium, attacked_in(attacked_digest(OTHER)))
    with pytest.raises(ReleaseRefused, match="another table was put in the place of the one that was audited"):
        verify_release(folder, consortium.charter.charter)


def test_figures_of_no_named_sum_are_refused(tmp_path: Path, consortium: Consortium) -> None:
    folder = released(tmp_path / "1", consortium, None)
    with pytest.raises(ReleaseRefused, match="does not name the sum that its figures are from"):
        verify_release(folder, consortium.charter.charter)


def test_rows_that_are_none_of_the_schema_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    pq.write_table(TABLE.to_arrow().drop_columns(["age"]), file)
    with pytest.raises(ReleaseRefused, match="does not hold rows of the release's own schema"):
        read_data(file, TABLE.schema)


@pytest.mark.parametrize("own", [True, False])
def test_receipts_show_the_sum_that_attacked_the_rows(own: bool) -> None:
    attacked = attacked_in(attacked_digest(TABLE))
    assert check_attacked_in(with_audit(pack_candidate(TABLE), own=own), attacked, TABLE) is own


def test_receipts_of_which_no_sum_attacked_the_rows_are_refused() -> None:
    honest = with_audit(pack_candidate(TABLE))
    for held, attacked in (
        (CHECKED, attacked_in(attacked_digest(TABLE))),
        (with_audit(pack_candidate(OTHER)), attacked_in(attacked_digest(TABLE))),
        # Other checks than were counted, or another round.
        (honest, attacked_in(attacked_digest(TABLE), CHECKS[:1])),
        (honest, attacked_in(attacked_digest(TABLE), step=2)),
        # What was aborted counted nothing.
        (
            replace(honest, rounds=tuple(replace(each, summed=False) for each in honest.rounds)),
            attacked_in(attacked_digest(TABLE)),
        ),
    ):
        with pytest.raises(ReleaseRefused, match="no sum in the receipts of org-1 attacked the rows"):
            check_attacked_in(held, attacked, TABLE)


def verified(folder: Path, consortium: Consortium) -> Verification:
    """Of a release of the run that the receipts are of."""
    found = verify_release(folder, consortium.charter.charter)
    run = {"run_id": CHECKED.run_id, "plan_digest": CHECKED.plan.digest}
    provenance = found.manifest.provenance.model_copy(update=run)
    return replace(found, manifest=found.manifest.model_copy(update={"provenance": provenance}))


def test_verify_holds_rows_to_a_member_s_receipts_offline(
    tmp_path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = with_audit(pack_candidate(TABLE))
    plan = held.plan.model_copy(update={"schema_": TABLE.schema})
    task = audit_task(plan, 3, pack_candidate(TABLE), CHECKS)
    rounds = (*held.rounds[:-1], replace(held.rounds[-1], task=sha256_hex(task.to_bytes())))
    held = replace(held, plan=plan, rounds=rounds)
    found = verified(
        released(tmp_path / "1", consortium, attacked_in(attacked_digest(TABLE)), CHECKED.head), consortium
    )
    provenance = found.manifest.provenance.model_copy(update={"plan_digest": plan.digest})
    found = replace(found, manifest=found.manifest.model_copy(update={"provenance": provenance}))
    monkeypatch.setattr(receipts, "check_receipts", lambda file: held)
    assert verify_receipts(found, receipt_file()).endswith("in which it and others attacked these very rows")
    monkeypatch.setattr(receipts, "check_receipts", lambda file: replace(held, rounds=CHECKED.rounds))
    with pytest.raises(ReleaseRefused, match="no sum in the receipts"):
        verify_receipts(found, receipt_file())
