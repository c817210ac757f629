"""A plan's audit: in the document only where there is one, refused where nothing could be compared."""

import pytest

from headwater.agreement.audit_words import audit_in_words
from headwater.agreement.plan import Plan
from headwater.errors import InputError
from support.consortium import SMALL_SCHEMA
from support.pictures import PICTURES

TERMS: dict[str, object] = {"policy": "standard", "settings": {"attacks": 200, "groups": ["ward"]}}
BUDGET = {"epsilon": 1.0}


def plan(**changes: object) -> Plan:
    fields: dict[str, object] = {
        "name": "visits",
        "schema": SMALL_SCHEMA,
        "aggregation": {"on_membership_change": "strict"},
        "privacy": "none",
        "stub_sha256": "0" * 64,
    }
    return Plan.from_values(fields | changes)


def test_plan_without_an_audit_has_the_digest_that_it_had_before_there_were_any() -> None:
    assert b"audit" not in plan().to_bytes().replace(b'"audit":0.05', b"")
    assert plan(audit="none").digest == plan().digest
    assert 'audit = "none"' in plan().to_toml()
    assert Plan.from_toml(plan().to_toml()) == plan()


def test_audit_survives_toml_and_bytes_with_its_digest() -> None:
    audited = plan(audit=TERMS)
    assert audited.audit != "none"
    assert audited.audit.settings.groups == ("ward",)
    assert Plan.from_toml(audited.to_toml()).digest == audited.digest != plan().digest
    assert Plan.from_bytes(audited.to_bytes()) == audited


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audit": {"policy": "Standard!"}}, "policy"),
        ({"audit": {"policy": "standard", "settings": {"attack": 3}}}, "attack"),
        ({"audit": "all"}, "none"),
        ({"audit": TERMS | {"settings": {"groups": ["wards"]}}}, "'wards', which is no column"),
        ({"audit": TERMS | {"settings": {"secrets": ["wards"]}}}, "secrets names 'wards'"),
        ({"audit": TERMS | {"settings": {"groups": ["age"]}}}, "'age', which has no categories"),
        ({"audit": TERMS, "splits": {"train": 0.9, "validation": 0.1, "audit": 0}}, "keeps none aside"),
        ({"audit": {"policy": "standard"}, "schema": PICTURES}, "pictures have no audit"),
    ],
)
def test_an_audit_that_could_not_be_made_is_refused_in_one_line(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        plan(**changes)
    assert "\n" not in str(refused.value)


def test_words_say_what_leaves_an_organisation() -> None:
    assert "none" in audit_in_words(plan())
    exact, private = (
        audit_in_words(plan(audit=TERMS)),
        audit_in_words(plan(audit=TERMS, privacy=BUDGET, recipe={"kind": "marginals"})),
    )
    assert "policy standard" in exact
    assert "200 attacks of each kind; declared groups ward" in exact
    assert "one more secure sum" in exact
    assert "made-up rows" not in exact
    planted = audit_in_words(plan(audit={"policy": "standard", "settings": {"canaries": 1200}}))
    assert "1,200 made-up rows, of which half are planted among training rows" in planted
    assert "nothing that is counted on real rows leaves" in private
    assert "secure sum" not in private


def test_what_leaves_of_a_generator_is_agreed_under_a_budget_alone() -> None:
    budget = {"privacy": BUDGET, "recipe": {"kind": "marginals"}}
    private = plan(audit=TERMS, **budget)
    released = plan(audit=TERMS, release={"generator": "released"}, **budget)
    # Plans of before keep their digest: nothing stands where nothing leaves.
    assert b'"release"' not in private.to_bytes()
    assert plan(audit=TERMS, release={"generator": "kept"}, **budget).digest == private.digest
    assert released.digest != private.digest
    assert Plan.from_toml(released.to_toml()) == released
    assert 'generator = "kept"' in private.to_toml()
    for wrong, reason in (
        ({"audit": TERMS}, "without a privacy budget nothing of the generator leaves"),
        (budget, "nothing is released unaudited"),
    ):
        for terms in ("on request", "released"):
            with pytest.raises(InputError, match=reason):
                plan(release={"generator": terms}, **wrong)
