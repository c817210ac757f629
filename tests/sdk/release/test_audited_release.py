"""audit.json in a release: what it tells, what it keeps, and that its decision cannot be changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import ReleaseRefused
from headwater.evidence.measure import Measure
from headwater.release import audit_check, verify_release
from headwater.release.audit_file import LADDER, PublicFigure, PublishedAudit, bucket_of
from headwater.release.policy import decide, load_policy
from headwater.release.policy.decision import Decision, compose
from headwater.release.policy.document import Policy
from headwater.release.policy.waiver import SignedWaiver, Waiver
from headwater.release.rows import candidate_bytes
from support.audited_release import DECIDED, audit_of, evidence_on, pending_release, sign_release
from support.evidences import DISCLOSURES, PRIVACY, honest_measures, without
from support.releases import Consortium, make_consortium, make_table

TABLE = make_table()
STANDARD = load_policy("standard")
DEMO = load_policy("demo")
FAILING = Measure(check="copies.near", value=0.9, null=0.001, law="binomial", tally=(900, 1000), trials=1000)
POWERLESS = Measure(check="copies.near", status="inconclusive", reason="there are 4711 rows", needed=40_000)


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return make_consortium()


def refused(folder: Path, consortium: Consortium, audit: PublishedAudit, words: str) -> None:
    """Published by a coordinator that lies, signed by everybody, and refused all the same."""
    pending = pending_release(folder, consortium, audit)
    sign_release(pending, consortium)
    with pytest.raises(ReleaseRefused, match=words):
        verify_release(folder, consortium.charter.charter)


def verdict_of(decision: Decision, policy: Policy, **waived: Any) -> Decision:
    gates, verdict = compose(policy, decision.findings, files=False, private=True, waived=waived)
    return decision.model_copy(update={"gates": gates, "verdict": verdict})


def waiver(
    consortium: Consortium, candidate: str, by: tuple[str, ...] = ("east", "north"), **changes: Any
) -> SignedWaiver:
    values = {
        "gate": "G6",
        "outcome": "inconclusive",
        "policy": DEMO.digest,
        "candidate": candidate,
        "release": "visits/1",
        "reason": "Sixty rows | have *no* power to find a copy.",
        "expires": "2026-12-31T00:00:00Z",
    }
    signed = SignedWaiver(waiver=Waiver.model_validate(values | changes), signatures={})
    for member in by:
        signed = signed.with_signature(member, consortium.keys[member])
    return signed


def test_the_same_rows_are_the_same_candidate() -> None:
    assert candidate_bytes(make_table()) == candidate_bytes(make_table())


def test_rows_that_were_not_audited_are_not_written(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(make_table(seed=8)))
    with pytest.raises(ReleaseRefused, match="audit these"):
        pending_release(tmp_path / "1", consortium, audit, table=TABLE)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_failed_are_not_written(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE, measures=(*without("copies.near"), FAILING)))
    with pytest.raises(ReleaseRefused, match="verdict is 'fail', at G6; nothing was published"):
        pending_release(tmp_path / "1", consortium, audit)
    assert list(tmp_path.iterdir()) == []


def test_a_swapped_audit_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    pending = pending_release(tmp_path / "1", consortium)
    sign_release(pending, consortium)
    other = audit_of(evidence_on(TABLE, software="headwater 1"))
    (pending.folder / "audit.json").write_bytes(other.to_bytes())
    with pytest.raises(ReleaseRefused, match=r"audit\.json is not the file that was signed"):
        verify_release(pending.folder, consortium.charter.charter)


def test_an_edited_policy_is_refused(tmp_path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    lenient = STANDARD.model_copy(update={"error": 0.001})
    with monkeypatch.context() as edited:
        # The software of a coordinator that edited its policy.
        edited.setattr(audit_check, "load_policy", lambda name, version: lenient)
        pending = pending_release(tmp_path / "1", consortium, audit_of(evidence_on(TABLE), lenient))
        sign_release(pending, consortium)
    with pytest.raises(ReleaseRefused, match="another policy than standard, version 2"):
        verify_release(pending.folder, consortium.charter.charter)


def test_a_policy_of_newer_software_is_named(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    newer = audit.decision.policy.model_copy(update={"version": 3})
    audit = audit.model_copy(update={"decision": audit.decision.model_copy(update={"policy": newer})})
    with pytest.raises(ReleaseRefused, match="version 3 of policy standard is not in this software"):
        pending_release(tmp_path / "1", consortium, audit)


def relabelled(audit: PublishedAudit, **changes: Any) -> PublishedAudit:
    """The audit with another decision, and an attempt that agrees with it."""
    decision = audit.decision.model_copy(update=changes)
    attempts = (
        *audit.attempts[:-1],
        audit.attempts[-1].model_copy(update={"verdict": decision.verdict, "failing": decision.failing}),
    )
    return audit.model_copy(update={"decision": decision, "attempts": attempts})


def test_a_verdict_that_does_not_follow_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE, measures=(*without("copies.near"), FAILING)))
    gates = tuple(g.model_copy(update={"outcome": "pass"}) if g.gate == "G6" else g for g in audit.decision.gates)
    lied = relabelled(audit, verdict="pass", gates=gates)
    refused(tmp_path / "1", consortium, lied, "gate G6 in audit.json does not follow from its findings")
    lied = relabelled(audit_of(evidence_on(TABLE)), verdict="pass with warnings")
    refused(tmp_path / "2", consortium, lied, "the verdict in audit.json is 'pass with warnings'")


def test_a_public_figure_beyond_its_threshold_cannot_be_called_passed(tmp_path: Path, consortium: Consortium) -> None:
    invalid = Measure(check="validity", value=0.9, null=1.0, better="higher", trials=500)
    audit = audit_of(evidence_on(TABLE, measures=(*without("validity"), invalid)))
    findings = tuple(f.model_copy(update={"outcome": "pass"}) for f in audit.decision.findings)
    lied = relabelled(audit, **dict(verdict_of(audit.decision.model_copy(update={"findings": findings}), STANDARD)))
    refused(tmp_path / "1", consortium, lied, "validity was judged 'pass', by its policy it is fail")


def test_a_bucket_beyond_its_threshold_cannot_be_called_passed(tmp_path: Path, consortium: Consortium) -> None:
    open_privacy: dict[str, Any] = {"privacy": "none", "disclosures": DISCLOSURES | {"marginals": "bucket"}}
    unlike = Measure(check="marginals.1-way", value=0.4)
    evidence = evidence_on(TABLE, measures=(*without("marginals.1-way"), unlike), **open_privacy)
    policy = load_policy("non-private")
    audit = audit_of(evidence, policy)
    findings = tuple(f.model_copy(update={"outcome": "pass"}) for f in audit.decision.findings)
    gates, verdict = compose(policy, findings, files=False, private=False, waived={})
    lied = relabelled(audit, findings=findings, gates=gates, verdict=verdict)
    pending = pending_release(tmp_path / "1", consortium, lied, privacy="none")
    sign_release(pending, consortium)
    with pytest.raises(ReleaseRefused, match=r"marginals.1-way was judged 'pass', by its policy it is fail"):
        verify_release(pending.folder, consortium.charter.charter)


@pytest.mark.parametrize("source", ["one holder of files", "one organisation for itself"])
def test_a_release_is_not_judged_as_files_or_one_organisation_are(
    tmp_path: Path, consortium: Consortium, source: str
) -> None:
    # Gates of a federation stand aside for files: ε and canaries would not be asked for.
    lied = audit_of(evidence_on(TABLE)).model_copy(update={"source": source})
    refused(tmp_path / "1", consortium, lied, f"counts rows of {source}")


@pytest.mark.parametrize("change", [{"disclosure": "verdict", "value": None}, {"value": None}])
def test_a_figure_behind_which_no_row_is_cannot_be_hidden(
    tmp_path: Path, consortium: Consortium, change: dict[str, Any]
) -> None:
    audit = audit_of(evidence_on(TABLE))
    figures = tuple(f.model_copy(update=change) if f.check == "canaries.exposure" else f for f in audit.figures)
    lied = audit.model_copy(update={"figures": figures})
    refused(tmp_path / "1", consortium, lied, "hides the figure of canaries.exposure")


def test_a_figure_of_real_rows_is_not_published(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    shown = {"disclosure": "public", "value": 0.5}
    figures = tuple(f.model_copy(update=shown) if f.check == "linkability" else f for f in audit.figures)
    lied = audit.model_copy(update={"figures": figures})
    refused(tmp_path / "1", consortium, lied, "publishes the figure of linkability, which is of real rows")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"check": "Not A Name"}, "should match pattern"), ({"subject": "x" * 501}, "at most 500 characters")],
)
def test_a_figure_of_no_form_is_refused_in_one_line(
    tmp_path: Path, consortium: Consortium, change: dict[str, str], words: str
) -> None:
    audit = audit_of(evidence_on(TABLE))
    first, *others = audit.figures
    lied = audit.model_copy(update={"figures": (first.model_copy(update=change), *others)})
    refused(tmp_path / "1", consortium, lied, words)


def test_a_figure_that_stands_twice_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    lied = audit.model_copy(update={"figures": (audit.figures[0], *audit.figures)})
    refused(tmp_path / "1", consortium, lied, "sorted by name, each once")


def test_a_finding_that_was_left_out_is_missed(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE, measures=(*without("copies.near"), FAILING)))
    findings = tuple(f for f in audit.decision.findings if f.check != "copies.near")
    lied = relabelled(audit, **dict(verdict_of(audit.decision.model_copy(update={"findings": findings}), STANDARD)))
    refused(tmp_path / "1", consortium, lied, "copies.near was measured and not judged")
    lied = lied.model_copy(update={"figures": tuple(f for f in lied.figures if f.check != "copies.near")})
    refused(tmp_path / "2", consortium, lied, "copies.near was not measured and audit.json does not say so")


def test_a_finding_that_stands_twice_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    lied = relabelled(audit, findings=(audit.decision.findings[0], *audit.decision.findings))
    refused(tmp_path / "1", consortium, lied, "findings that no rule of its policy makes")


def test_an_attempt_that_was_left_out_is_missed(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    lied = audit.model_copy(update={"attempts": audit.attempts[1:]})
    refused(tmp_path / "1", consortium, lied, "an attempt was left out or changed")


def test_an_attempt_at_another_run_is_no_attempt_at_this_release(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE))
    for change in ({"run": "0a" * 16}, {"plan": "0b" * 32}):
        other = audit.attempts[-1].model_copy(update=change)
        lied = audit.model_copy(update={"attempts": (*audit.attempts[:-1], other)})
        refused(tmp_path / next(iter(change)), consortium, lied, "is at another run than the release")


def test_an_audit_on_another_claim_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    audit = audit_of(evidence_on(TABLE, privacy=PRIVACY.model_copy(update={"epsilon": 0.5})))
    refused(tmp_path / "1", consortium, audit, "another ε than the release claims")


def waived(consortium: Consortium, given: SignedWaiver | None = None) -> PublishedAudit:
    evidence = evidence_on(TABLE, measures=(*without("copies.near"), POWERLESS))
    signed = waiver(consortium, evidence.candidate) if given is None else given
    return audit_of(evidence, DEMO, [signed], consortium.charter.charter.keys)


def test_a_waived_release_is_verified_and_says_so(tmp_path: Path, consortium: Consortium) -> None:
    pending = pending_release(tmp_path / "1", consortium, waived(consortium))
    sign_release(pending, consortium)
    verification = verify_release(pending.folder, consortium.charter.charter)
    card = (pending.folder / "README.md").read_text()
    for sentence in (
        "Verdict under policy *demo, version 2*",
        "**pass with warnings**",
        "| G6 Copies | Are synthetic rows nearer",
        "NOT PASSED, waived; INCONCLUSIVE: copies.near: inconclusive; 40,000 trials are needed",
        r"- **G6**, inconclusive, by east and north until 2026-12-31T00:00:00Z: Sixty rows \| have \*no\* power",
        "1. 2026-11-21T10:00:00Z, run aaaaaaaa: not finished",
        "2. 2026-11-21T12:00:00Z, run abababab: pass with warnings",
        "NOT passed but waived by two organisations: G6",
        "attempt 2 at its plan, over all runs",
    ):
        assert sentence in card, sentence
    assert "No privacy audit" not in card
    assert "no organisation has signed yet" not in card
    assert verification.expired_waivers("2026-12-01T00:00:00Z") == ()
    assert "G6 expired" in verification.expired_waivers("2027-01-01T00:00:00Z")[0]


@pytest.mark.parametrize(
    ("changes", "by", "words"),
    [
        ({"expires": "2026-11-21T12:10:00Z"}, ("east", "north"), "the waiver of G6 expired at 2026-11-21T12:10:00Z"),
        ({}, ("east",), "approved by east alone"),
        ({"candidate": "b" * 64}, ("east", "north"), "is for another table"),
        ({"release": "stays/1"}, ("east", "north"), r"is for stays/1, this is visits/1: nobody answered for it"),
        ({"release": "visits/2"}, ("east", "north"), r"is for visits/2, this is visits/1"),
    ],
)
def test_a_waiver_that_does_not_hold_at_the_release_is_refused(
    tmp_path: Path, consortium: Consortium, changes: dict[str, Any], by: tuple[str, ...], words: str
) -> None:
    honest = waived(consortium)
    bad = waiver(consortium, **{"candidate": honest.candidate, "by": by} | changes)
    refused(tmp_path / "1", consortium, honest.model_copy(update={"waivers": (bad,)}), words)


def test_a_waiver_that_is_not_there_covers_nothing(tmp_path: Path, consortium: Consortium) -> None:
    lied = waived(consortium).model_copy(update={"waivers": ()})
    refused(tmp_path / "1", consortium, lied, "gate G6 in audit.json does not follow")


def test_under_a_budget_nothing_but_outcomes_of_private_rows_is_told() -> None:
    public = {
        "canaries.one-run",
        "canaries.exposure",
        "canaries.control",
        "artefacts",
        "validity",
        "ledger.epsilon",
        "ledger.replay",
        "release.licence",
    }
    for figure in audit_of(evidence_on(TABLE)).figures:
        told = figure.model_dump(include={"value", "interval", "between", "interval_between", "detectable", "trials"})
        is_public = figure.check in public or figure.check.startswith("controls.")
        assert is_public == any(entry is not None for entry in told.values()), figure.check


def test_tallies_reasons_and_details_never_leave() -> None:
    measures = (
        *without("copies.near", without("membership.nearest")),
        POWERLESS,
        Measure(
            check="membership.nearest",
            value=123 / 9876,
            law="binomial",
            tally=(123, 9876),
            trials=9876,
            details={"score": 55.5},
        ),
    )
    evidence = evidence_on(TABLE, measures=measures, privacy="none")
    text = audit_of(evidence, load_policy("non-private")).to_bytes().decode()
    for private in ("4711", "9876", "123,", "55.5", f"{123 / 9876:.3f}", "tally", "details", "p_value"):
        assert private not in text, private
    figure = next(f for f in json.loads(text)["figures"] if f["check"] == "membership.nearest")
    assert figure["between"] == [0.01, 0.02]


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0.012, (0.01, 0.02)), (0.05, (0.05, 0.05)), (-3.0, (None, -1.0)), (1e9, (100.0, None)), (0.0, (0.0, 0.0))],
)
def test_buckets_are_steps_of_the_ladder(value: float, bucket: tuple[float | None, float | None]) -> None:
    assert bucket_of(value) == bucket
    assert list(LADDER) == sorted(set(LADDER))


def test_every_figure_of_a_public_check_is_told() -> None:
    measure = next(m for m in honest_measures() if m.check == "membership.domias-1")
    shown = PublicFigure.of(measure.model_copy(update={"low": 0.008, "high": 0.012}), "public")
    assert (shown.value, shown.interval, shown.trials, shown.detectable) == (0.01, (0.008, 0.012), 10_000, 0.02)


def test_a_decision_is_the_same_after_its_own_bytes() -> None:
    decision = decide(evidence_on(TABLE), STANDARD, now=DECIDED)
    assert Decision.from_bytes(decision.to_bytes()) == decision
    audit = audit_of(evidence_on(TABLE))
    assert PublishedAudit.from_bytes(audit.to_bytes()) == audit


def test_gates_that_are_left_to_organisations_are_so_only_where_no_figure_may_leave(
    tmp_path: Path, consortium: Consortium
) -> None:
    free = [m for m in honest_measures() if m.check.startswith(("controls", "canaries", "artefacts", "validity"))]
    apart = audit_of(evidence_on(TABLE, measures=free, source="each organisation for itself"))
    assert apart.decision.verdict == "pass"
    sign_release(pending_release(tmp_path / "1", consortium, apart), consortium)
    verified = verify_release(tmp_path / "1", consortium.charter.charter)
    assert "judged by each of the 3 signing organisations" in verified.judged_apart
    # The same decision under sums that should have had the figures.
    pooled = apart.model_copy(update={"source": "pooled sums of organisations"})
    refused(tmp_path / "2", consortium, pooled, "a release of this kind has each organisation for itself")
