"""The whole audit: what it runs, what a check that fails becomes, whose chance is whose."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.audit import checks as registry
from headwater.audit.audit import audit
from headwater.audit.controls import CHECKS
from headwater.audit.running import Progress, run_checks, stream
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows, Check
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from support.reference_generators import SETTINGS, fixture, safe

SECRET = "jane-doe"
ABOUT = About("Toy", "Does it work?", "nothing", "a number", "all", "nowhere")


class Drawing:
    """Gives a number that its chance drew."""

    about = ABOUT
    size = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        return random.integers(0, 1 << 20, size=1)

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        return (Measure(check=self.name, value=float(counts[0])),)


class Failing(Drawing):
    """Raises what it is given."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name)
        self.error = error

    def count(self, rows: AuditRows, random: np.random.Generator) -> NDArray[np.int64]:
        raise self.error


class Silent(Drawing):
    """Gives no measure."""

    def read(self, counts: NDArray[np.int64]) -> tuple[Measure, ...]:
        return ()


def rows() -> AuditRows:
    train, holdout, _ = fixture(1, 60, 60)
    return AuditRows(train, holdout)


def no_clock() -> float:
    return 0.0


def test_a_check_that_raises_is_inconclusive_and_the_others_go_on() -> None:
    checks: list[Check] = [Failing("first", KeyError(SECRET)), Drawing("second"), Failing("third", InputError("why"))]
    found = run_checks(checks, rows(), 1, no_clock)
    assert [measure.status for measure in found.measures] == ["inconclusive", "measured", "inconclusive"]
    assert [measure.check for measure in found.measures] == ["first", "second", "third"]
    assert found.measures[0].reason == "failed with KeyError"
    assert SECRET not in repr(found)
    assert found.measures[2].reason == "failed with InputError: why"


def test_a_check_that_says_nothing_is_not_dropped() -> None:
    (measure,) = run_checks([Silent("mute")], rows(), 1, no_clock).measures
    assert (measure.check, measure.status) == ("mute", "inconclusive")


def test_each_check_has_chance_of_its_own_whatever_else_runs() -> None:
    alone = run_checks([Drawing("b")], rows(), 7, no_clock).measures[0]
    beside = run_checks([Drawing("a"), Drawing("b"), Drawing("c")], rows(), 7, no_clock).measures
    assert beside[1] == alone
    assert len({measure.value for measure in beside}) == 3
    assert run_checks([Drawing("b")], rows(), 8, no_clock).measures[0] != alone
    assert stream(7, "a").integers(1 << 40) == stream(7, "a").integers(1 << 40)


def test_progress_tells_each_check_and_what_it_took() -> None:
    ticks = iter(range(100))
    seen: list[Progress] = []
    run_checks([Drawing("a"), Drawing("b")], rows(), 1, lambda: float(next(ticks)), seen.append)
    assert seen == [Progress("a", 0, 2), Progress("a", 1, 2, 1.0), Progress("b", 1, 2), Progress("b", 2, 2, 1.0)]


def some(candidate: Candidate, settings: AuditSettings) -> Sequence[Check]:
    return [Drawing("linkability"), Drawing("copies.near")]


def test_an_audit_has_the_self_test_first_and_every_check_after_it() -> None:
    train, holdout, random = fixture(2)
    seen: list[Progress] = []
    found = audit(train, holdout, safe(train, random), SETTINGS, some, seed=3, clock=no_clock, watcher=seen.append)
    assert list(found.seconds) == [CHECKS, "linkability", "copies.near"]
    assert set(found.abouts) == {*found.seconds, "bias.privacy"}
    # No attack on a group was run, so that nothing can be said of groups: that too is told.
    assert [measure.status for measure in found.measures if measure.check == "bias.privacy"] == ["not applicable"]
    assert len({measure.name for measure in found.measures}) == len(found.measures)
    assert [(progress.check, progress.done) for progress in seen] == [
        (CHECKS, 0), (CHECKS, 1), ("linkability", 1), ("linkability", 2), ("copies.near", 2), ("copies.near", 3)
    ]  # fmt: skip
    assert all(progress.of == 3 for progress in seen)
    assert found.overlap.p_value == 1.0


def test_an_audit_refuses_a_holdout_that_is_none() -> None:
    train, _, random = fixture(3)
    with pytest.raises(InputError, match="was not held out"):
        audit(train, train, safe(train, random), SETTINGS, some, seed=1, clock=no_clock)


def test_an_audit_refuses_tables_of_two_schemas() -> None:
    train, holdout, random = fixture(4, 50, 50)
    made = safe(train, random)
    other = type(made)(made.schema.model_copy(update={"name": "other"}), made.columns, made.rows)
    with pytest.raises(InputError, match="different schemas"):
        audit(train, holdout, other, SETTINGS, some, seed=1, clock=no_clock)


def test_a_check_that_cannot_be_made_is_inconclusive_by_name_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(candidate: Candidate, settings: AuditSettings) -> Check:
        raise KeyError(SECRET)

    def stands(candidate: Candidate, settings: AuditSettings) -> Check:
        return Drawing("second")

    made = (registry._One("first", dies), registry._One("second", stands))
    monkeypatch.setattr(registry, "_REGISTRY", made)
    train, holdout, random = fixture(2)
    found = audit(
        train, holdout, safe(train, random), SETTINGS, registry.all_checks, seed=3, clock=no_clock
    )  # fmt: skip
    by_name = {measure.check: measure for measure in found.measures}
    assert (by_name["first"].status, by_name["first"].reason) == ("inconclusive", "failed with KeyError")
    assert by_name["second"].status == "measured"
    assert SECRET not in repr(found)
    with pytest.raises(KeyError):
        registry.federated_checks(Candidate(train), SETTINGS)
