"""Figures that a pattern of a policy stands for: none of them can be left out, nor called what it is not."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from headwater.audit.expected import expected_figures
from headwater.errors import ReleaseRefused
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.release import verify_release
from headwater.release.attacked import attacked_digest
from headwater.release.audit_file import PublishedAudit
from headwater.release.evidence import Attacked, Evidence, Scope
from headwater.release.policy import Decision, decide, load_policy
from support.audited_release import DECIDED, audit_of, evidence_on, pending_release, sign_release
from support.evidences import FEDERATION, fitting, honest_measures
from support.releases import Consortium, make_consortium, make_table

TABLE, POLICY = make_table(), load_policy("non-private")
SETTINGS = AuditSettings(
    groups=("ward", "readmitted"), secrets=("ward", "age"), tasks=("readmitted", "ward"), canaries=64
)
SCOPE, EXPECTED = Scope.of(SETTINGS), expected_figures(TABLE.schema, SETTINGS)
ALL = fitting(honest_measures(), EXPECTED)
MEMBERS = ("membership.nearest", "ward=surgery")


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


def audit(measures: Iterable[Measure], *, truly: bool = False) -> PublishedAudit:
    """What a coordinator publishes that asks for no more than patterns do; or an honest one."""
    attacked = Attacked(candidate=attacked_digest(TABLE), step=3, checks=())
    changes = {
        "measures": tuple(measures),
        "scope": SCOPE,
        "federation": FEDERATION.model_copy(update={"attacked": attacked}),
    }
    evidence = Evidence.model_validate(dict(evidence_on(TABLE, privacy="none")) | changes)
    decision = decide(evidence, POLICY, now=DECIDED, expected=EXPECTED if truly else ())
    return audit_of(evidence, POLICY, decision=decision)


def published(folder: Path, consortium: Consortium, lied: PublishedAudit) -> Path:
    """Signed by everybody."""
    sign_release(pending_release(folder, consortium, lied, privacy="none"), consortium)
    return folder


def without(*names: tuple[str, str]) -> list[Measure]:
    return [measure for measure in ALL if (measure.check, measure.subject) not in names]


def gated(measures: Iterable[Measure]) -> Decision:
    return audit(measures, truly=True).decision


def test_all_figures_of_schema_and_settings_pass(tmp_path: Path, consortium: Consortium) -> None:
    honest = audit(ALL, truly=True)
    assert honest.decision.verdict == "pass with warnings"
    assert verify_release(published(tmp_path / "1", consortium, honest), consortium.charter.charter).audit == honest


@pytest.mark.parametrize(
    ("gate", "name"),
    [
        ("G0", ("controls.shifted", "inference")),
        ("G3", ("canaries.exposure", "dose=16")),
        ("G4", MEMBERS),
        ("G5", ("inference", "age")),
        ("G6", ("copies.rare", "combinations")),
        ("G11", ("usefulness", "ward")),
        ("G12", ("bias.ratio", "readmitted")),
        ("G12", ("bias.odds", "readmitted: ward")),
    ],
)
def test_a_figure_that_is_left_out_is_missed_by_name(
    tmp_path: Path, consortium: Consortium, gate: str, name: tuple[str, str]
) -> None:
    measures = without(name)
    assert len(measures) == len(ALL) - 1
    result = gated(measures).result(gate)
    assert result is not None
    assert result.outcome == "inconclusive"
    assert f"{name[0]} [{name[1]}] was not measured" in result.reasons
    # A coordinator of other software publishes it all the same, and everybody signs.
    lied = audit(measures)
    assert lied.decision.verdict == "pass with warnings"
    folder = published(tmp_path / "1", consortium, lied)
    with pytest.raises(ReleaseRefused, match=f"{name[0]} of {name[1]} was not measured and audit.json does not say so"):
        verify_release(folder, consortium.charter.charter)


@pytest.mark.parametrize("name", [("membership.nearest", "outliers"), MEMBERS])
def test_what_is_there_is_not_called_not_applicable(
    tmp_path: Path, consortium: Consortium, name: tuple[str, str]
) -> None:
    aside = Measure(check=name[0], subject=name[1], status="not applicable", reason="nobody is like that")
    measures = [*without(name), aside]
    result = gated(measures).result("G4")
    assert result is not None
    assert (result.outcome, "calls itself not applicable" in result.reasons[0]) == ("inconclusive", True)
    folder = published(tmp_path / "1", consortium, audit(measures))
    with pytest.raises(ReleaseRefused, match=r"membership\.nearest is there and called not applicable"):
        verify_release(folder, consortium.charter.charter)


@pytest.mark.parametrize(
    "excuse",
    [
        Measure(check="controls.rows", value=1.0, better="higher"),
        Measure(check="controls.rows", status="not applicable", reason="nothing to try"),
    ],
)
def test_an_excuse_that_stops_nothing_stands_for_no_control(
    tmp_path: Path, consortium: Consortium, excuse: Measure
) -> None:
    measures = [*without(("controls.shifted", "inference")), excuse]
    result = gated(measures).result("G0")
    assert result is not None
    assert result.outcome == "inconclusive"
    with pytest.raises(ReleaseRefused, match=r"controls\.shifted of inference was not measured"):
        verify_release(published(tmp_path / "1", consortium, audit(measures)), consortium.charter.charter)


@pytest.mark.parametrize(
    ("scope", "words"),
    [(None, "does not say which groups"), (Scope(groups=("age",)), "declares what the release's schema does not have")],
)
def test_an_audit_of_no_scope_is_refused(
    tmp_path: Path, consortium: Consortium, scope: Scope | None, words: str
) -> None:
    lied = audit(ALL, truly=True).model_copy(update={"scope": scope})
    with pytest.raises(ReleaseRefused, match=words):
        verify_release(published(tmp_path / "1", consortium, lied), consortium.charter.charter)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"law": "none", "value": 0.001}, "no law says how likely the figure is"),
        ({"tally": (5, 0)}, "its tally is none of so many trials"),
        ({"tally": (0, 0)}, "its tally is none of so many trials"),
        ({"tally": (-400, 10_000)}, "its tally is none of so many trials"),
    ],
)
def test_a_figure_that_proves_nothing_clears_nobody(change: dict[str, object], words: str) -> None:
    name = ("membership.nearest", "")
    (own,) = (measure for measure in ALL if (measure.check, measure.subject) == name)
    result = gated([*without(name), own.model_copy(update=change)]).result("G4")
    assert result is not None
    assert (result.outcome, words in result.reasons[0]) == ("inconclusive", True)
