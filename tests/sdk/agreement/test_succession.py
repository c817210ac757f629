"""Versions of the charter: which may follow which, by whose signatures, and what each refusal says."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.charter_words import changes_in_words, signatures_in_words
from headwater.agreement.signing import is_signed_by, public_key_hex, sign
from headwater.agreement.succession import CharterHistory, check_succession, tally, verify_succession
from headwater.errors import PeerError
from support.consortium import ConsortiumInMemory
from support.succession import following, members_of, signed_by

# Made once: what the rules say does not depend on which keys they are.
KEYS = [Ed25519PrivateKey.generate() for _ in range(24)]
WORLD = ConsortiumInMemory(5)
FIRST = WORLD.signed_charter()
SECOND = following(FIRST.charter, colluders=2)
ALL = tuple(WORLD.keys)


def second(*, without: tuple[str, ...] = (), charter: Charter = SECOND) -> SignedCharter:
    return signed_by(charter, WORLD.coordinator_key, WORLD.keys, without=without)


def refused(line: str, following_version: SignedCharter, former: SignedCharter = FIRST) -> None:
    with pytest.raises(PeerError, match=line):
        verify_succession(former, following_version)


def test_version_one_names_no_previous_version_and_every_later_one_does() -> None:
    fields = WORLD.charter().model_dump()
    for changes in ({"version": 2}, {"previous": "0" * 64}, {"version": 0}, {"version": 10_001, "previous": "0" * 64}):
        with pytest.raises(ValidationError):
            Charter.model_validate(fields | changes)


def test_a_data_set_is_named_by_an_identifier_and_is_signed() -> None:
    member = WORLD.charter().member("org-1")
    assert member.data_set == "main"
    other = member.model_copy(update={"data_set": "registry-2026"})
    charters = {WORLD.charter().digest, WORLD.charter(members=(other, *WORLD.charter().members[1:])).digest}
    assert len(charters) == 2
    for name in ("", "Main", "-main", "a b", "a" * 49, "../x"):
        with pytest.raises(ValidationError):
            Member.model_validate(member.model_dump() | {"data_set": name})


@pytest.mark.parametrize("members", range(3, 11))
def test_a_threshold_of_the_former_members_carries_and_one_fewer_does_not(members: int) -> None:
    world = ConsortiumInMemory(members, keys={f"org-{n}": KEYS[n] for n in range(1, members + 1)})
    first = world.signed_charter()
    charter, needed = following(first.charter, consortium="Renamed"), 2 * members // 3 + 1
    names = sorted(world.keys)
    enough = signed_by(charter, world.coordinator_key, world.keys, without=names[needed:])
    verify_succession(first, enough)
    assert tally(first.charter, enough).more_needed == 0
    few = signed_by(charter, world.coordinator_key, world.keys, without=names[needed - 1 :])
    refused(f"{needed - 1} of the {members} members of version 1 signed it and {needed} must", few, first)
    assert tally(first.charter, few).more_needed == 1
    assert tally(first.charter, few).former_missing == tuple(names[needed - 1 :])


@st.composite
def successions(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int], set[str], set[str]]:
    """Key numbers by member id before and after, who signs by a key of then, who by a key of now."""
    before = {f"org-{number}": number for number in range(draw(st.integers(3, 8)))}
    fate = {name: draw(st.sampled_from(["stay", "stay", "stay", "leave", "rekey"])) for name in before}
    now = {name: key + (8 if fate[name] == "rekey" else 0) for name, key in before.items() if fate[name] != "leave"}
    now |= {f"org-{number}": number for number in range(16, 16 + max(3 - len(now), draw(st.integers(0, 3))))}
    return before, now, draw(st.sets(st.sampled_from(sorted(before)))), draw(st.sets(st.sampled_from(sorted(now))))


@given(successions())
def test_a_version_is_in_force_exactly_when_the_rule_says_so(
    case: tuple[dict[str, int], dict[str, int], set[str], set[str]],
) -> None:
    before, now, former_signers, signers = case
    old, new = ({name: KEYS[key] for name, key in keys.items()} for keys in (before, now))
    coordinator = WORLD.coordinator_key
    first_charter = WORLD.charter(members=members_of(old))
    first = signed_by(first_charter, coordinator, old)
    unchanged = {name for name in before if now.get(name) == before[name]}
    version = signed_by(
        following(first_charter, new),
        coordinator,
        {name: new[name] for name in signers | (former_signers & unchanged)},
        former_keys={name: old[name] for name in former_signers - unchanged},
    )
    # The rule once more, over keys: whose key of then signed, and whose key of now must have.
    signing = {before[name] for name in former_signers} | {now[name] for name in signers}
    old_keys = set(before.values())
    enough = 3 * len({before[name] for name in before} & signing) > 2 * len(before)
    newcomers = set(now.values()) - old_keys <= signing
    check_succession(first, version)
    if enough and newcomers:
        verify_succession(first, version)
        assert CharterHistory((first, version)).newest == version.charter
    else:
        with pytest.raises(PeerError, match="signed it and" if not enough else "who are new in it"):
            verify_succession(first, version)


def test_a_version_that_skips_one_is_refused() -> None:
    third = following(SECOND)
    refused("skips 1 after version 1", second(charter=third))


def test_a_version_after_another_version_is_refused() -> None:
    elsewhere = following(WORLD.charter(consortium="Another"), colluders=2)
    refused("follows another version 1", second(charter=elsewhere))


def test_an_older_or_equal_version_never_follows() -> None:
    later = second()
    refused("rolled back: version 1 cannot follow version 2", FIRST, later)
    refused("rolled back: version 2 cannot follow version 2", second(charter=following(FIRST.charter)), later)


def test_forged_and_strange_signatures_are_refused_even_where_enough_others_are_there() -> None:
    genuine = second()
    wrong = genuine.signatures["org-2"]
    forged = genuine.model_copy(update={"signatures": {**genuine.signatures, "org-1": wrong}})
    refused("signature of 'org-1' on the charter is wrong", forged)
    refused(
        "'org-9' signed the charter but is no member",
        genuine.model_copy(update={"former_signatures": {"org-9": wrong}}),
    )
    refused("signature of 'org-1'", genuine.model_copy(update={"former_signatures": {"org-1": wrong}}))
    refused("coordinator's signature", genuine.model_copy(update={"coordinator_signature": wrong}))
    refused("version 1's coordinator", genuine.model_copy(update={"former_coordinator_signature": wrong}))


def test_a_signature_over_one_version_counts_for_no_other() -> None:
    genuine = second()
    moved = genuine.model_copy(update={"charter": following(FIRST.charter, colluders=1, minimum_cohort=4)})
    refused("signature", moved)


def test_another_coordinator_key_needs_the_former_threshold_and_both_coordinators() -> None:
    key = Ed25519PrivateKey.generate()
    charter = following(FIRST.charter, coordinator_key=public_key_hex(key))

    def version(without: tuple[str, ...], former: Ed25519PrivateKey | None) -> SignedCharter:
        return signed_by(charter, key, WORLD.keys, without=without, former_coordinator=former)

    verify_succession(FIRST, version(ALL[4:], WORLD.coordinator_key))
    refused("names another coordinator key: 3 of the 5", version(ALL[3:], WORLD.coordinator_key))
    refused("the coordinator of version 1 did not sign", version((), None))
    refused("version 1's coordinator on the charter is wrong", version((), key))
    # Whoever stole the new name but not the new key cannot sign for it.
    stolen = signed_by(charter, WORLD.coordinator_key, WORLD.keys, former_coordinator=WORLD.coordinator_key)
    refused("coordinator's signature on the charter is wrong", stolen)


def test_a_newcomer_and_a_member_with_another_key_must_sign_by_the_keys_of_now() -> None:
    fresh = {"org-5": KEYS[1], "org-6": KEYS[2]}
    keys = {**WORLD.keys, **fresh}
    charter = following(FIRST.charter, keys)
    verify_succession(FIRST, signed_by(charter, WORLD.coordinator_key, keys))
    refused("not signed by org-5, org-6, who are new", signed_by(charter, WORLD.coordinator_key, keys, without=fresh))
    # By the key that version 1 gave it, org-5 counts as a former member and not as the new one.
    by_old = signed_by(
        charter, WORLD.coordinator_key, keys, without=["org-5"], former_keys={"org-5": WORLD.keys["org-5"]}
    )
    assert "org-5" in tally(FIRST.charter, by_old).former_signed
    refused("not signed by org-5, who are new", by_old)


def test_a_member_that_is_removed_counts_while_it_leaves_and_cannot_sign_what_follows() -> None:
    staying = {name: key for name, key in WORLD.keys.items() if name != "org-5"}
    charter = following(FIRST.charter, staying)
    leaving = signed_by(charter, WORLD.coordinator_key, {}, former_keys={"org-5": WORLD.keys["org-5"]})
    assert tally(FIRST.charter, leaving).former_signed == ("org-5",)
    three = {name: staying[name] for name in ("org-1", "org-2", "org-3")}
    version = signed_by(charter, WORLD.coordinator_key, three, former_keys={"org-5": WORLD.keys["org-5"]})
    verify_succession(FIRST, version)
    third = following(charter, minimum_cohort=4)
    back = signed_by(third, WORLD.coordinator_key, three, former_keys={"org-5": WORLD.keys["org-5"]})
    refused("'org-5' signed the charter but is no member", back, version)


def test_signatures_gather_one_by_one_each_checked() -> None:
    staying = {**{name: key for name, key in WORLD.keys.items() if name != "org-5"}, "org-4": KEYS[3]}
    charter = following(FIRST.charter, staying)
    version = signed_by(charter, WORLD.coordinator_key, {})
    version = version.with_signature("org-5", charter.signed_by(WORLD.keys["org-5"]), FIRST.charter)
    version = version.with_signature("org-4", charter.signed_by(KEYS[3]), FIRST.charter)
    version = version.with_signature("org-4", charter.signed_by(WORLD.keys["org-4"]), FIRST.charter)
    assert (set(version.signatures), set(version.former_signatures)) == ({"org-4"}, {"org-4", "org-5"})
    for member, key, former in (
        ("org-5", WORLD.keys["org-5"], None),
        ("org-9", KEYS[4], FIRST.charter),
        ("org-1", WORLD.keys["org-2"], FIRST.charter),
    ):
        with pytest.raises(PeerError):
            version.with_signature(member, charter.signed_by(key), former)


def test_a_first_version_with_former_signatures_is_refused() -> None:
    for extra in ({"former_signatures": {"org-1": FIRST.signatures["org-1"]}},
                  {"former_coordinator_signature": FIRST.coordinator_signature}):  # fmt: skip
        with pytest.raises(PeerError, match="there are none"):
            FIRST.model_copy(update=extra).verify()


def test_a_later_version_cannot_be_judged_alone() -> None:
    with pytest.raises(PeerError, match="cannot be judged without the versions before it"):
        second().verify()


def test_a_signature_has_one_spelling() -> None:
    key = KEYS[0]
    signature = sign(key, "charter", b"data")
    assert is_signed_by(public_key_hex(key), "charter", b"data", signature)
    for spelling in (signature.upper(), f" {signature}", f"{signature[:2]} {signature[2:]}"):
        assert not is_signed_by(public_key_hex(key), "charter", b"data", spelling)


def test_a_history_is_one_unbroken_chain_from_version_one() -> None:
    third = second(charter=following(SECOND))
    chain = (FIRST, second(), third)
    history = CharterHistory(chain)
    assert history.newest == third.charter
    assert history.find(SECOND.digest) == SECOND
    assert history.find("0" * 64) is None
    for broken in ((), chain[1:], (FIRST, third), (FIRST, third, second()), (FIRST, second(without=ALL[:2]), third)):
        with pytest.raises(PeerError):
            CharterHistory(broken)
    incomplete = WORLD.signed_charter(without=("org-5",))
    with pytest.raises(PeerError, match="not signed by org-5"):
        CharterHistory((incomplete, second()))


def test_a_history_never_goes_back_behind_what_was_pinned() -> None:
    short, whole = CharterHistory((FIRST,)), CharterHistory((FIRST, second()))
    whole.check_holds(FIRST.charter)
    whole.check_holds(SECOND)
    with pytest.raises(PeerError, match="rolled back: version 1 is shown as the newest, version 2 is pinned"):
        short.check_holds(SECOND)
    fork = CharterHistory((FIRST, second(charter=following(FIRST.charter, consortium="Fork"))))
    with pytest.raises(PeerError, match="another version 2 of the charter is shown"):
        fork.check_holds(SECOND)


def shown(**changes: object) -> str:
    return "\n".join(changes_in_words(FIRST.charter, following(FIRST.charter, **changes)))  # type: ignore[arg-type]


def test_what_a_version_changes_is_said_in_words() -> None:
    assert changes_in_words(FIRST.charter, following(FIRST.charter, created="2027-01-01T00:00:00Z")) == ()
    keys = {**WORLD.keys, "org-1": KEYS[5], "org-6": KEYS[6]}
    del keys["org-2"]
    lines = shown(keys=keys)
    for line in ("added: ORG-6 (org-6)", "removed: ORG-2 (org-2)", "ORG-1 (org-1) has another key"):
        assert line in lines
    raised = WORLD.charter(minimum_cohort=4, colluders=2)
    lowered = "\n".join(changes_in_words(raised, following(raised, minimum_cohort=3, colluders=1)))
    assert "minimum cohort LOWERED from 4 to 3" in lowered
    assert "LOWERED from 2 to 1" in lowered
    assert "raised from 3 to 5" in shown(minimum_cohort=5)
    assert "the coordinator has another key" in shown(coordinator_key=public_key_hex(KEYS[7]))
    assert "another CA" in shown(ca_digest="cb" * 32)
    assert "the consortium's name: Fork" in shown(consortium="Fork")


def test_another_data_set_is_said_in_words() -> None:
    members = list(FIRST.charter.members)
    members[0] = members[0].model_copy(update={"data_set": "registry", "name": "First"})
    lines = shown(members=tuple(members))
    assert "data set 'registry', before 'main'" in lines
    assert "org-1 is called First, before ORG-1" in lines


def test_the_quorum_of_the_next_version_is_said_when_it_moves() -> None:
    keys = {**WORLD.keys, "org-6": KEYS[6]}
    assert "5 of 6 members decide on the next version, before 4" in shown(keys=keys)


def test_who_must_sign_yet_is_said_in_words() -> None:
    assert "2 of 5 members have signed; org-3, org-4, org-5 must" in signatures_in_words(
        WORLD.signed_charter(without=ALL[2:])
    )
    assert signatures_in_words(second(without=ALL[3:]), FIRST.charter) == (
        "3 of the 5 members of version 1 have signed version 2; it is not in force yet: 1 more of org-4, org-5 must"
    )
    assert signatures_in_words(second(without=ALL[4:]), FIRST.charter).endswith("4 had to: it is in force")
    keys = {**WORLD.keys, "org-6": KEYS[6]}
    new_coordinator = following(FIRST.charter, keys, coordinator_key=public_key_hex(KEYS[7]))
    words = signatures_in_words(signed_by(new_coordinator, KEYS[7], WORLD.keys), FIRST.charter)
    assert "org-6 must, being new" in words
    assert "the coordinator must with its former key" in words
