"""How many organisations must sign a release: what the charter says, or its own threshold."""

import pytest
from pydantic import ValidationError

from headwater.agreement.charter import Charter
from headwater.agreement.charter_words import changes_in_words
from headwater.agreement.quorum import quorum_in_words, release_quorum
from headwater.errors import InputError
from support.consortium import ConsortiumInMemory

CONSORTIUM = ConsortiumInMemory(5)
SILENT, THREE = CONSORTIUM.charter(), CONSORTIUM.charter(release_quorum=3)


@pytest.mark.parametrize(("members", "needed"), [(3, 3), (4, 3), (5, 4), (6, 5), (9, 7)])
def test_a_silent_charter_needs_more_than_two_thirds(members: int, needed: int) -> None:
    assert release_quorum(ConsortiumInMemory(members).charter()) == needed


def test_a_charter_may_say_how_many() -> None:
    assert release_quorum(THREE) == 3
    assert quorum_in_words(THREE) == "a release is published when 3 of 5 members have signed it"


def test_a_charter_that_says_nothing_has_the_digest_that_it_had() -> None:
    assert b"release_quorum" not in SILENT.to_bytes()
    assert b'"release_quorum":3' in THREE.to_bytes()
    for charter in (SILENT, THREE):
        assert Charter.from_bytes(charter.to_bytes()) == charter
    with pytest.raises(InputError, match="canonical form"):
        Charter.from_bytes(SILENT.to_bytes().replace(b',"version":1', b',"release_quorum":null,"version":1'))


@pytest.mark.parametrize("quorum", [0, 1, 6])
def test_a_quorum_of_one_or_of_more_than_all_is_refused(quorum: int) -> None:
    with pytest.raises(ValidationError, match="release_quorum"):
        CONSORTIUM.charter(release_quorum=quorum)


def test_a_changed_quorum_is_told_and_a_lowered_one_said_so() -> None:
    (lowered,) = changes_in_words(SILENT, THREE)
    assert lowered == "3 of 5 members must sign a release, before 4 of 5: LOWERED"
    (raised,) = changes_in_words(THREE, CONSORTIUM.charter(release_quorum=5))
    assert raised == "5 of 5 members must sign a release, before 3 of 5"
    (fixed,) = changes_in_words(SILENT, CONSORTIUM.charter(release_quorum=4))
    assert "is fixed from now on: 4 of 5" in fixed
