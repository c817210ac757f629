"""The audit at an organisation: which rows it reads, what it answers, and which candidates it refuses."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.audit import checks as registry
from headwater.canonical import sha256_hex
from headwater.contribution.auditing import audit_rows, own_audit, read_measures
from headwater.contribution.canaries import CanarySeed, plant_canaries, with_canaries
from headwater.contribution.candidate import sample_candidate
from headwater.contribution.contribute import contribute
from headwater.contribution.splits import split_rows
from headwater.errors import InputError, PeerError
from headwater.evidence import candidate_file
from headwater.evidence.candidate_file import most_rows, pack_candidate, read_candidate
from headwater.evidence.settings import AuditSettings
from headwater.recipe.actions import Aggregate, RunAudit, Sample
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import build_recipe
from headwater.recipe.settings import SplitShares
from headwater.recipe.task import Task
from headwater.recipe.tasks import audit_task
from headwater.schema import NumericColumn, Schema
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from support.audited import audited_plan, only_floors
from support.pictures import PICTURES
from support.recipes import SCHEMA, small_plan, small_table

PLAN = audited_plan(splits={"train": 0.5, "validation": 0.2, "audit": 0.3})
SYNTHETIC = small_table(200, seed=9)
DATA = pack_candidate(SYNTHETIC)
CHECKS = (("floors", 7),)
ROWS = small_table(400)


@pytest.fixture(autouse=True)
def _floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", (only_floors,))


def task(data: bytes = DATA, checks: tuple[tuple[str, int], ...] = CHECKS, step: int = 3) -> Task:
    return audit_task(PLAN, step, data, checks)


def counts_of(rows: Table, asked: Task | None = None) -> np.ndarray:
    return to_signed(contribute(asked or task(), DATA, rows, PLAN))


def test_counts_are_of_training_and_of_audit_rows_and_of_no_other() -> None:
    train, kept = (split_rows(ROWS, PLAN.splits, part) for part in ("train", "audit"))
    counts = counts_of(ROWS)
    floors = [np.bincount(part.columns["floor"], minlength=3).tolist() for part in (train, kept)]
    assert counts[:6].tolist() == [*floors[0], *floors[1]]
    assert counts[7:].tolist() == [train.rows, 0]
    validation = split_rows(ROWS, PLAN.splits, "validation")
    assert validation.rows > 40
    without = Table.concat([train, kept])
    assert counts_of(without)[:6].tolist() == counts[:6].tolist()


def test_rows_that_cannot_be_counted_are_left_out_and_counted_as_such() -> None:
    broken = {name: values.copy() for name, values in ROWS.columns.items()}
    broken["age"][:30] = np.inf
    rows = Table(SCHEMA, broken, ROWS.rows)
    own, skipped = audit_rows(rows, PLAN.splits)
    counts = counts_of(rows)
    assert counts[8] == skipped > 0
    assert counts[7] == own.train.rows == counts[:3].sum()


def test_canaries_weigh_as_rows_that_trained_and_are_attacked_as_none() -> None:
    plan = audited_plan(audit={"policy": "non-private", "settings": {"canaries": 60}})
    planted = plant_canaries(ROWS, plan, CanarySeed(b"s" * 32, "0f" * 16, 3))
    assert planted is not None
    rows = with_canaries(ROWS, planted)
    first = build_recipe(plan).next()
    assert isinstance(first, Aggregate)
    trained = layout_of_counts(first.task.length - 2).split(contribute(first.task, b"", rows, plan)).weight
    counts = to_signed(contribute(audit_task(plan, 3, DATA, CHECKS), DATA, rows, plan))
    without = to_signed(contribute(audit_task(plan, 3, DATA, CHECKS), DATA, ROWS, plan))
    assert counts[7] == trained == without[7] + planted.training_rows.rows > without[7]
    assert counts[:6].tolist() == without[:6].tolist()


def test_a_question_has_one_answer_and_which_rows_it_picks_follows_from_the_rows() -> None:
    assert np.array_equal(counts_of(ROWS), counts_of(ROWS))
    picks = {int(counts_of(small_table(400, seed=seed))[6]) for seed in range(6)}
    assert len(picks) > 3
    # The candidate is the question: neither another round nor another session attacks other rows with it.
    assert np.array_equal(counts_of(ROWS), counts_of(ROWS, task(step=4)))
    other = pack_candidate(small_table(200, seed=10))
    asked = to_signed(contribute(task(other), other, ROWS, PLAN))
    assert counts_of(ROWS)[6] != asked[6]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"no candidate", "fetch it again"),
        (pack_candidate(SYNTHETIC)[:-9], "fetch it again"),
        (b"", "is not the one it names"),
    ],
)
def test_bytes_that_are_no_candidate_are_refused(model: bytes, words: str) -> None:
    asked = task().model_copy(update={"model_digest": sha256_hex(model)})
    with pytest.raises(PeerError, match=words):
        contribute(asked, model, ROWS, PLAN)


def _changed(change: Callable[[dict[str, np.ndarray]], object]) -> bytes:
    columns = {name: values.copy() for name, values in SYNTHETIC.columns.items()}
    change(columns)
    return pack_candidate(Table(SCHEMA, columns, SYNTHETIC.rows))


def _set(name: str, value: float) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda columns: columns[name].__setitem__(3, value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("age", 121, "outside its bounds"),
        ("age", 20.5, "not whole"),
        ("age", np.nan, "missing values and may not"),
        ("age", np.inf, "outside its bounds"),
        ("income", -2, "outside its bounds"),
        ("ward", 3, "categories that are none"),
        ("floor", -1, "categories that are none"),
        ("ward", -2, "categories that are none"),
        ("seen", 18261, "outside its bounds"),
        ("seen", 18262.5, "not whole"),
    ],
)
def test_values_outside_the_schema_are_refused_without_being_told(name: str, value: float, words: str) -> None:
    with pytest.raises(InputError, match=f"column '{name}' .*{words}") as refused:
        read_candidate(_changed(_set(name, value)), SCHEMA)
    assert f"{value:g}" not in str(refused.value)


def test_what_the_schema_allows_comes_back_to_the_bit() -> None:
    data = _changed(lambda columns: (_set("income", -1)(columns), _set("ward", -1)(columns)))
    back = read_candidate(data, SCHEMA)
    assert pack_candidate(back) == data
    for name in SCHEMA.names:
        assert back.columns[name].dtype == SYNTHETIC.columns[name].dtype
    assert pack_candidate(SYNTHETIC) == DATA


HEAD = len(DATA) - 200 * (8 + 8 + 1 + 1 + 1 + 8 + 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DATA[:-1], "fetch it again"),
        (DATA + b"\0", "fetch it again"),
        (DATA[: HEAD - 1], "fetch it again"),
        (b"X" + DATA[1:], "fetch it again"),
        (DATA[: HEAD - 8] + (0).to_bytes(8, "big") + DATA[HEAD:], "0 rows"),
        (DATA[: HEAD - 8] + (2**63).to_bytes(8, "big") + DATA[HEAD:], "rows, expected 1 to 1,000,000"),
        (DATA[: HEAD - 8] + (199).to_bytes(8, "big") + DATA[HEAD:], "fetch it again"),
        # A second spelling of zero, and one of missing.
        (DATA[:HEAD] + struct.pack("<d", -0.0) + DATA[HEAD + 8 :], "fetch it again"),
        (DATA[: HEAD + 1600] + b"\1\0\0\0\0\0\xf8\x7f" + DATA[HEAD + 1608 :], "fetch it again"),
    ],
)
def test_bytes_of_another_form_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_candidate(data, SCHEMA)


def test_rows_of_another_schema_are_refused() -> None:
    with pytest.raises(InputError, match="none of this schema"):
        read_candidate(DATA, SCHEMA.model_copy(update={"name": "x"}))


@given(st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_are_rows_with_one_spelling_or_refused(damage: list[tuple[int, int]]) -> None:
    data = bytearray(DATA)
    for place, byte in damage:
        data[place] = byte
    try:
        table = read_candidate(bytes(data), SCHEMA)
    except InputError:
        return
    assert pack_candidate(table) == data


def test_too_many_rows_or_bytes_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_file, "MOST_ROWS", 100)
    with pytest.raises(InputError, match="200 rows, expected 1 to 100"):
        read_candidate(DATA, SCHEMA)
    with pytest.raises(InputError, match="1 to 100 rows of this schema, not 200"):
        pack_candidate(SYNTHETIC)
    monkeypatch.setattr(candidate_file, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1,000 are read"):
        read_candidate(DATA, SCHEMA)


def test_wide_tables_have_fewer_rows_and_a_plan_that_wants_more_is_refused() -> None:
    assert most_rows(SCHEMA) == 1_000_000
    wide = Schema(name="wide", columns=tuple(NumericColumn(name=f"c{n}", lower=0, upper=1) for n in range(200)))
    assert most_rows(wide) * 200 * 8 <= 240 * 2**20 < (most_rows(wide) + 1) * 200 * 8
    assert audited_plan(rows=1_000_000).rows == 1_000_000
    with pytest.raises(InputError, match="at most 1,000,000 rows of this schema, rows is 1,000,001; plan fewer"):
        audited_plan(rows=1_000_001)


def test_pictures_have_no_candidate() -> None:
    with pytest.raises(InputError, match="pictures have no audit"):
        read_candidate(DATA, PICTURES)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (task(checks=(("floors", 6),)), "checks are not those"),
        (task(checks=(("doors", 7),)), "checks are not those"),
        (task().model_copy(update={"length": 10}), "checks are not those"),
        (task(step=1), "audit in round 1"),
        (task().model_copy(update={"clip": 1.0}), "clip"),
    ],
)
def test_tasks_that_do_not_follow_from_plan_and_candidate_are_refused(asked: Task, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        contribute(asked, DATA, ROWS, PLAN)


def test_a_plan_without_an_audit_answers_none() -> None:
    with pytest.raises(PeerError, match="the plan has none"):
        contribute(task(), DATA, ROWS, small_plan("marginals"))


def test_a_candidate_of_another_size_than_the_plan_s_is_refused() -> None:
    with pytest.raises(PeerError, match="has 200 rows, the plan 150"):
        contribute(task(), DATA, ROWS, audited_plan(rows=150))


def test_a_sum_is_read_as_if_it_were_of_one() -> None:
    parts = [small_table(100 + 30 * seed, seed=seed) for seed in range(3)]
    total = np.sum([counts_of(part) for part in parts], axis=0)
    settings = AuditSettings()
    (measure,) = read_measures(RunAudit(DATA, total[:7], 3, CHECKS), SCHEMA, settings)
    alike = [split_rows(part, PLAN.splits, "train").columns["floor"] for part in parts]
    assert measure.tally == (sum(int((part == 0).sum()) for part in alike), sum(map(len, alike)))
    assert read_measures(RunAudit(DATA), SCHEMA, settings) == ()
    with pytest.raises(InputError, match="do not belong"):
        read_measures(RunAudit(DATA, total, 3, CHECKS), SCHEMA, settings)


def test_an_organisation_sees_its_own_figures_of_every_check() -> None:
    own, _ = audit_rows(ROWS, PLAN.splits)
    found = own_audit(SYNTHETIC, own, AuditSettings())
    assert [measure.check for measure in found] == ["floors", "floors.own"]
    assert found[0].tally == (int((own.train.columns["floor"] == 0).sum()), own.train.rows)
    other, _ = audit_rows(ROWS, SplitShares(train=0.5, validation=0.2, audit=0.3))
    strange = Table(SCHEMA.model_copy(update={"name": "x"}), dict(SYNTHETIC.columns), SYNTHETIC.rows)
    with pytest.raises(InputError, match="another schema"):
        own_audit(strange, other, AuditSettings())


def test_a_generator_that_breaks_has_a_reason_in_place_of_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    from headwater.contribution import candidate as sampling
    from headwater.encoding.encoding import Encoding
    from headwater.encoding.grid import Histograms

    grid = Histograms.of(SCHEMA, PLAN.recipe.encoding)
    encoding = Encoding.fit(SCHEMA, grid.count(ROWS), PLAN.recipe.encoding)
    asked = Sample(b"no model", encoding, 10, 1, AuditSettings())
    data, report = sample_candidate(asked)
    assert data == b""
    assert "fetch it again" in str(report.verdict["failed"])

    def broken(model: bytes) -> None:
        raise ZeroDivisionError("a row's value")

    monkeypatch.setattr(sampling, "read_sampler", broken)
    assert sample_candidate(asked)[1].verdict == {"failed": "sampling broke (ZeroDivisionError)"}
