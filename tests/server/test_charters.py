"""The next version of the charter, drawn up from who enrolled: what stays, what changes, what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import Charter
from headwater.agreement.signing import public_key_hex
from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, OutOfOrder
from headwater_server.charters import CharterRequest, Founding, draw_up, not_enrolled
from headwater_server.services.ports import EnrolledMember, OpenInvitation
from support.consortium import CREATED, ConsortiumInMemory
from support.succession import signed_by

WORLD = ConsortiumInMemory(4)
FOUNDING = Founding("Test consortium", public_key_hex(WORLD.coordinator_key), "ca" * 32)
FIRST = CharterHistory((WORLD.signed_charter(),))


def enrolled(*names: str, **keys: Ed25519PrivateKey) -> list[EnrolledMember]:
    """Members by their first keys, or by those given."""
    known = WORLD.keys | {name.replace("_", "-"): key for name, key in keys.items()}
    return [
        EnrolledMember(name, name.upper(), public_key_hex(known[name]), "", b"", "") for name in names or sorted(known)
    ]


def drawn(
    members: Sequence[EnrolledMember],
    history: CharterHistory | None = FIRST,
    invited: Sequence[str] = (),
    **request: Any,
) -> Charter:
    waiting = [OpenInvitation(name, name.upper(), CREATED) for name in invited]
    return draw_up(history, members, waiting, FOUNDING, CharterRequest(**request), CREATED)


def refused(line: str, members: Sequence[EnrolledMember], history: CharterHistory | None = FIRST, **more: Any) -> None:
    with pytest.raises(InputError, match=line):
        drawn(members, history, **more)


def test_the_first_version_names_everybody_who_enrolled() -> None:
    charter = drawn(enrolled(), None)
    assert charter == FIRST.newest
    assert (charter.minimum_cohort, charter.colluders) == (3, 1)


def test_a_later_version_keeps_what_is_not_asked_for_and_follows_the_one_in_force() -> None:
    newcomer = Ed25519PrivateKey.generate()
    second = drawn(enrolled(org_5=newcomer), minimum_cohort=4)
    assert (second.version, second.previous, second.minimum_cohort, second.colluders) == (2, FIRST.newest.digest, 4, 1)
    assert second.member("org-5").identity_key == public_key_hex(newcomer)


def test_the_declaration_on_people_is_kept_until_it_is_taken_back() -> None:
    declared = drawn(enrolled(), disjoint_people=True)
    assert declared.disjoint_people
    history = CharterHistory((*FIRST.charters, signed_by(declared, WORLD.coordinator_key, WORLD.keys)))
    assert drawn(enrolled(), history, minimum_cohort=4).disjoint_people
    assert not drawn(enrolled(), history, disjoint_people=False).disjoint_people
    assert not drawn(enrolled(), minimum_cohort=4).disjoint_people


def test_nothing_to_change_makes_no_version() -> None:
    with pytest.raises(OutOfOrder, match="nothing would change"):
        drawn(enrolled())


def test_a_member_that_was_removed_stays_out_until_it_enrols_by_another_key() -> None:
    without = drawn(enrolled(), removed=("org-4",))
    history = CharterHistory(
        (*FIRST.charters, signed_by(without, WORLD.coordinator_key, WORLD.keys, without=["org-4"]))
    )
    # Its enrolment is still on record, and does not bring it back.
    assert "org-4" not in drawn(enrolled(), history, data_sets={"org-1": "later"}).keys
    again = Ed25519PrivateKey.generate()
    assert drawn(enrolled(org_4=again), history).keys["org-4"] == public_key_hex(again)


def test_a_data_set_is_kept_until_it_is_said_to_be_another() -> None:
    second = drawn(enrolled(), data_sets={"org-1": "registry-2026"})
    assert [member.data_set for member in second.members] == ["registry-2026", "main", "main", "main"]


@pytest.mark.parametrize("request_", [{"removed": ("org-9",)}, {"data_sets": {"org-9": "main"}}])
def test_an_id_of_nobody_is_named(request_: dict[str, Any]) -> None:
    refused("'org-9' is not among the members: org-1, org-2, org-3, org-4", enrolled(), **request_)


def test_too_few_members_are_told_who_is_waited_for() -> None:
    members = enrolled("org-1", "org-2")
    refused("org-3 is invited and has not enrolled yet: wait", members, None, invited=("org-1", "org-3"))
    refused("invite 1 more organisation$", members, None)
    refused("or give --minimum-cohort 4", enrolled(), None, minimum_cohort=5)
    refused("bear at most 1 colluding ones and not 2; give --colluders 1", enrolled(), None, colluders=2)


def test_who_is_invited_and_not_enrolled_is_told_once() -> None:
    invitations = [OpenInvitation(name, name, CREATED) for name in ("org-6", "org-5", "org-1", "org-5")]
    assert not_enrolled(enrolled(), invitations) == ("org-5", "org-6")


def test_a_version_that_too_few_former_members_can_sign_is_refused_at_once() -> None:
    other = Ed25519PrivateKey.generate()
    assert drawn(enrolled(org_4=other)).version == 2
    line = "could never come in force: 3 of the 4 members of version 1 must sign it.*org-3, org-4 have enrolled"
    refused(line, enrolled(org_3=Ed25519PrivateKey.generate(), org_4=other))


def test_a_coordinator_without_its_key_proposes_nothing() -> None:
    strange = Founding("Test consortium", public_key_hex(Ed25519PrivateKey.generate()), "ca" * 32)
    with pytest.raises(OutOfOrder, match=r"keys/charter.key is not the coordinator key"):
        draw_up(FIRST, enrolled(), [], strange, CharterRequest(minimum_cohort=4), CREATED)


def test_the_release_quorum_is_kept_until_another_is_asked_for() -> None:
    three = drawn(enrolled(), release_quorum=3)
    history = CharterHistory((*FIRST.charters, signed_by(three, WORLD.coordinator_key, WORLD.keys)))
    assert drawn(enrolled(), history, minimum_cohort=4).release_quorum == 3
    assert drawn(enrolled(), history, minimum_cohort=4, release_quorum=0).release_quorum is None
    refused("release_quorum 5 is more than the 4 members", enrolled(), history, release_quorum=5)
