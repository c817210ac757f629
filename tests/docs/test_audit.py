"""The page on audits names every check that there is, every check that a policy asks for, and no other."""

import re

import numpy as np
import pytest

from headwater.audit.checks import all_checks
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.release.policy import load_policy, policy_names
from headwater.release.policy.document import matches
from support.reference_generators import law
from support.specification import ROOT

PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z0-9.-]+)`", PAGE.split("## What is asked")[1].split("## The policies")[0]))
ASKED = {
    pattern
    for name in policy_names()
    for gate in load_policy(name).gates
    for rule in gate.rules
    for pattern in rule.checks
}


@pytest.fixture(scope="module")
def measured() -> set[str]:
    candidate = Candidate(law(300, np.random.default_rng(0)))
    return {check.name for check in all_checks(candidate, AuditSettings(canaries=100))}


def test_every_check_of_an_audit_is_explained(measured: set[str]) -> None:
    def explained(name: str) -> bool:
        return any(named == name or named.startswith(f"{name}.") for named in NAMED)

    assert {name for name in measured if not explained(name)} == set()


def test_every_check_that_a_policy_asks_for_is_explained() -> None:
    apart = {"release.licence"}  # told in words: terms of use
    assert {pattern for pattern in ASKED - apart if not any(matches(pattern, name) for name in NAMED)} == set()


def test_nothing_is_explained_that_is_not_there(measured: set[str]) -> None:
    # Measured of a generator's weights, of ledgers, or of other measures; no candidate table has them by itself.
    elsewhere = {"membership.latent", "bias.privacy", "artefacts", "validity"}

    def exists(name: str) -> bool:
        by_check = any(name == check or name.startswith(f"{check}.") for check in measured)
        return by_check or any(matches(pattern, name) for pattern in ASKED)

    assert {name for name in NAMED - elsewhere if not exists(name)} == set()
