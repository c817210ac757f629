"""Evidence of audits that found nothing wrong, for tests of gates and releases."""

from collections.abc import Iterable, Sequence

from headwater.audit.expected import Expected, lacking
from headwater.evidence.measure import Measure
from headwater.release.evidence import Evidence, FederationFacts, PrivacyFacts, Scope

__all__ = [
    "CANDIDATE",
    "DISCLOSURES",
    "FEDERATION",
    "PRIVACY",
    "fitting",
    "honest_measures",
    "make_evidence",
    "without",
]

CANDIDATE = "c" * 64
FEDERATION = FederationFacts(organisations=3, threshold=3, receipts="e" * 64, canaries=("f" * 64,))
PRIVACY = PrivacyFacts(epsilon=0.9995, delta=1e-6, unit="record", events=3, replay="exact", ledgers=("d" * 64,))
DISCLOSURES = {
    "controls": "public",
    "canaries": "public",
    "artefacts": "public",
    "validity": "public",
    "membership.nearest": "bucket",
    "copies.near": "verdict",
}

_MEMBERSHIP = ("nearest", "domias-1", "domias-5", "classifier")


def _rate(check: str, hits: int, trials: int, subject: str = "", null: float = 0.01) -> Measure:
    return Measure(
        check=check,
        subject=subject,
        value=hits / trials,
        null=null,
        law="binomial",
        tally=(hits, trials),
        trials=trials,
        detectable=0.02,
    )


def honest_measures() -> tuple[Measure, ...]:
    """Every check that policy `standard` asks for, each with what a generator gives that leaks nothing."""
    return (
        *(
            Measure(check=check, subject=found_by, value=1.0, better="higher")
            for check in ("controls.memoriser", "controls.copier")
            for found_by in ("copies.near", "membership.nearest or membership.domias-1")
        ),
        Measure(check="controls.safe", value=1.0, better="higher"),
        Measure(check="canaries.one-run", value=0.1, null=0.0, trials=1000),
        Measure(check="canaries.exposure", value=1.5, null=1.4427, law="test", p_value=0.4, trials=32),
        Measure(check="canaries.control", value=1.4, null=1.4427, law="test", p_value=0.6, trials=32),
        *(_rate(f"membership.{name}", 100, 10_000) for name in _MEMBERSHIP),
        *(_rate(f"membership.{name}", 4, 400, "outliers") for name in _MEMBERSHIP),
        _rate("membership.nearest", 10, 1000, "sex=Female"),
        Measure(check="linkability", value=0.0, null=0.0, law="controlled", tally=(50, 1000, 50, 1000), trials=1000),
        Measure(
            check="inference",
            subject="race",
            value=0.0,
            null=0.0,
            law="controlled",
            tally=(200, 1000, 200, 1000),
            trials=1000,
        ),
        _rate("copies.near", 1, 1000, null=0.001),
        _rate("copies.rare", 1, 1000, null=0.001),
        _rate("copies.partial", 1, 1000, null=0.001),
        Measure(check="artefacts", value=0.0, null=0.0, trials=6),
        Measure(check="validity", value=1.0, null=1.0, better="higher", trials=500),
        Measure(check="marginals.1-way", value=0.03),
        Measure(check="marginals.2-way", value=0.06),
        Measure(
            check="coverage.modes",
            value=0.95,
            null=0.96,
            better="higher",
            law="binomial",
            tally=(950, 1000),
            trials=1000,
        ),
        Measure(check="coverage.2-way", value=0.98, better="higher"),
        Measure(check="coverage.invented-3-way", value=0.01),
        Measure(check="usefulness", subject="income", value=0.97, better="higher", law="normal", error=0.01),
        Measure(
            check="bias.ratio", subject="sex=Female", value=1.01, null=1.0, better="null", law="normal", error=0.01
        ),
        Measure(check="bias.intersections", subject="sex=Female race=Black", value=0.9, law="normal", error=0.1),
        Measure(check="bias.parity", subject="sex", value=0.01, law="normal", error=0.01),
        Measure(check="bias.odds", subject="sex", value=0.01, law="normal", error=0.01),
        Measure(check="bias.usefulness", subject="sex", value=0.01, law="normal", error=0.01),
    )


def without(check: str, measures: Iterable[Measure] | None = None) -> tuple[Measure, ...]:
    """Honest measures but those of one check."""
    return tuple(measure for measure in measures or honest_measures() if measure.check != check)


def fitting(measures: Iterable[Measure], expected: Sequence[Expected]) -> tuple[Measure, ...]:
    """The same, with each figure that is expected and not there, such as another of its check is."""
    given = tuple(measures)
    more = []
    for each in lacking(expected, {(measure.check, measure.subject): measure.status for measure in given}):
        like = next((measure for measure in given if measure.check == each.check), None)
        if like is None and each.check.startswith("controls."):
            like = Measure(check=each.check, value=1.0, better="higher")
        if like is not None or each.check == "marginals.3-way":
            like = like or Measure(check=each.check, value=0.05)
            more.append(like.model_copy(update={"subject": each.subject}))
    return (*given, *more)


def make_evidence(measures: Iterable[Measure] | None = None, **changes: object) -> Evidence:
    """Evidence of a federated run under a budget."""
    values: dict[str, object] = {
        "candidate": CANDIDATE,
        "rows": 500,
        "settings": "a" * 64,
        "scope": Scope(),
        "source": "pooled sums of organisations",
        "organisations": 3,
        "started": "2026-11-21T11:00:00Z",
        "ended": "2026-11-21T11:30:00Z",
        "software": "headwater 0",
        "privacy": PRIVACY,
        "federation": FEDERATION,
        "licence_stated": True,
        "measures": tuple(honest_measures() if measures is None else measures),
        "disclosures": DISCLOSURES,
    }
    return Evidence.model_validate(values | changes)
