"""The next version of the charter, drawn up from who enrolled and what the operator asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from headwater.agreement.charter import Charter, Member
from headwater.agreement.charter_words import changes_in_words
from headwater.agreement.documents import first_problem
from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, OutOfOrder
from headwater.secagg.protocol.terms import largest_collusion, threshold
from headwater_server.services.ports import EnrolledMember, OpenInvitation

__all__ = ["CharterRequest", "Founding", "draw_up", "not_enrolled"]

_LEAST_COHORT = 3


@dataclass(frozen=True, slots=True)
class CharterRequest:
    """What the operator asks of a version; what is left out stays as it is in the version in force.

    Attributes:
        removed: ids of members that it leaves out.
        minimum_cohort: least number of organisations in any sum; 3 in a first version.
        colluders: "c" of protocol 1.2; 1 in a first version.
        data_sets: by member id; "main" for a member that is new.
        disjoint_people: whether the members declare that nobody's records are at more than one of them; not declared
            in a first version.
        release_quorum: organisations whose signature a release needs; 0 for the charter's own threshold, which it is
            in a first version.
    """

    removed: Collection[str] = ()
    minimum_cohort: int | None = None
    colluders: int | None = None
    data_sets: Mapping[str, str] = field(default_factory=dict)
    disjoint_people: bool | None = None
    release_quorum: int | None = None


@dataclass(frozen=True, slots=True)
class Founding:
    """What is the same in every version that this coordinator draws up.

    Attributes:
        consortium: its name.
        coordinator_key: 64 hexadecimal digits.
        ca_digest: SHA-256 of the CA certificate, 64 hexadecimal digits.
    """

    consortium: str
    coordinator_key: str
    ca_digest: str


def not_enrolled(enrolled: Sequence[EnrolledMember], invited: Sequence[OpenInvitation]) -> tuple[str, ...]:
    """Ids of organisations that are invited and have not enrolled, sorted."""
    return tuple(sorted({invitation.member_id for invitation in invited} - {member.member_id for member in enrolled}))


def draw_up(
    history: CharterHistory | None,
    enrolled: Sequence[EnrolledMember],
    invited: Sequence[OpenInvitation],
    founding: Founding,
    request: CharterRequest,
    created: str,
) -> Charter:
    """The first version, or the one that follows the version in force.

    Members are everybody who enrolled. Whoever a version removed stays out until it enrols anew, by another key.

    Args:
        history: versions in force so far; None before the first.
        enrolled: as recorded, with the keys of today.
        invited: who may enrol yet.
        founding: what does not change.
        request: what does.
        created: now, in UTC.

    Raises:
        InputError: too few organisations have enrolled, the numbers cannot hold, an id is nobody's, or too few members
            of the version before still hold their keys of then to bring another in force.
        OutOfOrder: nothing would change, or the coordinator's key is not that of the version in force.
    """
    before = None if history is None else history.newest
    if before is not None and before.coordinator_key != founding.coordinator_key:
        raise OutOfOrder(
            f"keys/charter.key is not the coordinator key of version {before.version} of the charter, which must sign "
            "what follows; restore it from a backup"
        )
    candidates = [member for member in enrolled if not _was_removed(member, history)]
    present = {member.member_id for member in candidates}
    for member_id in (*request.removed, *request.data_sets):
        if member_id not in present:
            raise InputError(f"{member_id!r} is not among the members: {', '.join(sorted(present)) or 'nobody yet'}")
    chosen = [member for member in candidates if member.member_id not in request.removed]
    minimum_cohort = request.minimum_cohort or (_LEAST_COHORT if before is None else before.minimum_cohort)
    colluders = request.colluders or (1 if before is None else before.colluders)
    if problem := _shortage(len(chosen), minimum_cohort, colluders, not_enrolled(enrolled, invited)):
        raise InputError(problem)
    disjoint = request.disjoint_people
    if disjoint is None:
        disjoint = before is not None and before.disjoint_people
    data_sets = {member.id: member.data_set for member in before.members} if before is not None else {}
    data_sets |= request.data_sets
    try:
        charter = Charter(
            version=1 if before is None else before.version + 1,
            previous=None if before is None else before.digest,
            consortium=founding.consortium,
            members=tuple(
                Member(
                    id=m.member_id,
                    name=m.name,
                    identity_key=m.identity_key,
                    data_set=data_sets.get(m.member_id, "main"),
                )
                for m in sorted(chosen, key=lambda member: member.member_id)
            ),
            coordinator_key=founding.coordinator_key,
            minimum_cohort=minimum_cohort,
            colluders=colluders,
            ca_digest=founding.ca_digest,
            created=created,
            disjoint_people=disjoint,
            release_quorum=_release_quorum(before, request),
        )
    except ValidationError as error:
        raise InputError(f"the charter does not hold: {first_problem(error)}") from error
    if before is not None and (problem := _signers_problem(before, charter)):
        raise InputError(problem)
    if before is not None and not changes_in_words(before, charter):
        raise OutOfOrder(
            f"version {before.version} of the charter is in force and nothing would change; invite an organisation, or "
            "give --remove, --minimum-cohort, --colluders, --data-set, --disjoint-people or --release-quorum"
        )
    return charter


def _release_quorum(before: Charter | None, request: CharterRequest) -> int | None:
    if request.release_quorum is None:
        return None if before is None else before.release_quorum
    return request.release_quorum or None


def _signers_problem(before: Charter, charter: Charter) -> str:
    """Why too few members of the version before still hold the keys of then; empty when enough do."""
    # A member that enrolled anew no longer speaks by its former key; one that is left out still does.
    anew = [member for member, key in before.keys.items() if charter.keys.get(member, key) != key]
    needed, keep = threshold(len(before.members)), len(before.members) - len(anew)
    if keep >= needed:
        return ""
    one = len(anew) == 1
    return (
        f"version {charter.version} of the charter could never come in force: {needed} of the {len(before.members)} "
        f"members of version {before.version} must sign it with their keys of then, and {', '.join(anew)} "
        f"{'has' if one else 'have'} enrolled with {'another' if one else 'others'}; "
        f"{'it restores its keys folder' if one else 'they restore their keys folders'} from a backup before enrolling "
        "again, or a new consortium begins"
    )


def _was_removed(member: EnrolledMember, history: CharterHistory | None) -> bool:
    """Whether a version took this very member out: its enrolment is still on record, and does not bring it back."""
    if history is None or member.member_id in history.newest.keys:
        return False
    past = (signed.charter.keys.get(member.member_id) for signed in history.charters)
    return member.identity_key in past


def _shortage(members: int, minimum_cohort: int, colluders: int, waiting: Sequence[str]) -> str:
    """Why so many members cannot make a charter and what would help; empty when they can."""
    advice = []
    if waiting:
        one = len(waiting) == 1
        advice.append(
            f"{', '.join(waiting)} {'is' if one else 'are'} invited and {'has' if one else 'have'} not enrolled yet: "
            f"wait, or invite {'it' if one else 'them'} again if a token was lost"
        )
    if members < minimum_cohort:
        lacking = minimum_cohort - members - len(waiting)
        if lacking > 0:
            advice.append(f"invite {lacking} more organisation{'' if lacking == 1 else 's'}")
        if members >= _LEAST_COHORT:
            advice.append(f"or give --minimum-cohort {members}")
        return (
            f"the charter would have {members} member{'' if members == 1 else 's'}, a minimum cohort of "
            f"{minimum_cohort} needs {minimum_cohort}; {'; '.join(advice)}"
        )
    if colluders > (bearable := largest_collusion(members)):
        if largest_collusion(members + len(waiting)) < colluders:
            advice = []
        advice.append(f"{'or ' if advice else ''}give --colluders {bearable}")
        return (
            f"the charter would have {members} members, who bear at most {bearable} colluding ones and not "
            f"{colluders}; {'; '.join(advice)}"
        )
    return ""
