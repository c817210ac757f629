"""People in several organisations: ε adds up unless the charter declares that there are none (privacy.md 13)."""

import pytest

from headwater.agreement.charter import Charter
from headwater.agreement.charter_words import changes_in_words
from headwater.agreement.overlap import event_for_person, organisations_of_person, people_in_words
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.events import NoisyCounts
from support.consortium import ConsortiumInMemory

CONSORTIUM = ConsortiumInMemory(5)
SILENT, DISJOINT = CONSORTIUM.charter(), CONSORTIUM.charter(disjoint_people=True)


def test_a_person_may_be_everywhere_unless_the_charter_says_otherwise() -> None:
    assert organisations_of_person(SILENT, 4) == 4
    assert organisations_of_person(DISJOINT, 4) == 1
    with pytest.raises(InputError, match="at least 1"):
        organisations_of_person(SILENT, 0)


def test_a_person_with_records_at_m_organisations_moves_the_sum_by_m_times_as_much() -> None:
    event = NoisyCounts(900, 3, 2)
    assert event_for_person(event, 1) == event
    assert event_for_person(event, 4) == NoisyCounts(900, 3, 8)
    assert event_for_person(event, 4).zcdp == pytest.approx(16 * event.zcdp)
    assert spent([event_for_person(event, 4)], 1e-6).epsilon > 4 * spent([event], 1e-6).epsilon


def test_a_charter_without_the_declaration_has_the_digest_that_it_had() -> None:
    assert b"disjoint" not in SILENT.to_bytes()
    assert b'"disjoint_people":true' in DISJOINT.to_bytes()
    assert Charter.from_bytes(SILENT.to_bytes()) == SILENT
    assert Charter.from_bytes(DISJOINT.to_bytes()) == DISJOINT


def test_the_declaration_has_one_spelling() -> None:
    said = SILENT.to_bytes().replace(b',"members":', b',"disjoint_people":false,"members":')
    with pytest.raises(InputError, match="canonical form"):
        Charter.from_bytes(said)


def test_declaring_it_and_taking_it_back_are_changes_that_people_read() -> None:
    (declared,) = changes_in_words(SILENT, DISJOINT)
    assert "DECLARE" in declared
    (taken_back,) = changes_in_words(DISJOINT, SILENT)
    assert "no longer declared" in taken_back
    assert people_in_words(SILENT) != people_in_words(DISJOINT)
