"""A version of the charter in the words that people decide by: what it changes, who has to sign it yet."""

from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.quorum import release_quorum
from headwater.agreement.signing import fingerprint
from headwater.agreement.succession import tally
from headwater.secagg.protocol.terms import threshold

__all__ = ["changes_in_words", "signatures_in_words"]


def changes_in_words(former: Charter, following: Charter) -> tuple[str, ...]:
    """Everything in which two versions differ but their dates, one line each; what weakens protection is said so.

    Args:
        former: the version that the reader holds to; `following` may be more than one version later.
        following: the version that is shown.
    """
    before = {member.id: member for member in former.members}
    now = {member.id: member for member in following.members}
    lines = [f"added: {_named(now[member])}" for member in now if member not in before]
    lines += [f"removed: {_named(before[member])}" for member in before if member not in now]
    for member in now:
        if member in before:
            lines += _member_changes(before[member], now[member])
    if former.coordinator_key != following.coordinator_key:
        lines.append(f"the coordinator has another key: {fingerprint(following.coordinator_key)}")
    lines += _number_changes(former, following)
    if following.disjoint_people != former.disjoint_people:
        lines.append(
            "the members DECLARE that nobody's records are at more than one of them: ε is told for one organisation's "
            "records alone"
            if following.disjoint_people
            else "no longer declared that nobody's records are at more than one member: ε of such a person is told too"
        )
    if former.ca_digest != following.ca_digest:
        lines.append(f"another CA vouches for connections: {following.ca_digest[:16]}…")
    if former.consortium != following.consortium:
        lines.append(f"the consortium's name: {following.consortium}, before {former.consortium}")
    return tuple(lines)


def signatures_in_words(signed: SignedCharter, former: Charter | None = None) -> str:
    """Who has signed and who must yet, in one line; the signatures must have been checked.

    Args:
        signed: any version.
        former: the version before it; None for version 1.
    """
    counted, members = tally(former, signed), len(signed.charter.members)
    if former is None:
        missing = counted.newcomers_missing
        if not missing:
            return f"all {members} members have signed: the charter is in force"
        return f"{members - len(missing)} of {members} members have signed; {', '.join(missing)} must accept it yet"
    done = (
        f"{len(counted.former_signed)} of the {len(former.members)} members of version {former.version} have signed "
        f"version {signed.charter.version}"
    )
    if counted.complete:
        return f"{done}, {counted.needed} had to: it is in force"
    parts = []
    if counted.more_needed:
        parts.append(f"{counted.more_needed} more of {', '.join(counted.former_missing)} must")
    if counted.newcomers_missing:
        parts.append(f"{', '.join(counted.newcomers_missing)} must, being new or having another key in it")
    if counted.former_coordinator_missing:
        parts.append("the coordinator must with its former key")
    return f"{done}; it is not in force yet: {'; '.join(parts)}"


def _named(member: Member) -> str:
    return f"{member.name} ({member.id})"


def _member_changes(before: Member, now: Member) -> list[str]:
    lines = []
    if before.identity_key != now.identity_key:
        lines.append(f"{_named(now)} has another key: {fingerprint(now.identity_key)}; ask it whether it made it")
    if before.data_set != now.data_set:
        lines.append(
            f"{_named(now)} takes part with data set {now.data_set!r}, before {before.data_set!r}: sums over the two "
            "count as sums over different people, and what the privacy ledger holds of the former does not count "
            "towards the organisation's limit for the new one"
        )
    if before.name != now.name:
        lines.append(f"{now.id} is called {now.name}, before {before.name}")
    return lines


def _number_changes(former: Charter, following: Charter) -> list[str]:
    lines = []
    if following.minimum_cohort != former.minimum_cohort:
        lowered = following.minimum_cohort < former.minimum_cohort
        lines.append(
            f"minimum cohort {'LOWERED' if lowered else 'raised'} from {former.minimum_cohort} to "
            f"{following.minimum_cohort}" + (": sums over fewer organisations become possible" if lowered else "")
        )
    if following.colluders != former.colluders:
        lowered = following.colluders < former.colluders
        lines.append(
            f"members who may work with the coordinator {'LOWERED' if lowered else 'raised'} from {former.colluders} "
            f"to {following.colluders}" + (": protection holds against fewer of them" if lowered else "")
        )
    lines += _release_changes(former, following)
    quorums = threshold(len(former.members)), threshold(len(following.members))
    if quorums[0] != quorums[1]:
        lines.append(
            f"{quorums[1]} of {len(following.members)} members decide on the next version, before {quorums[0]}"
        )
    return lines


def _release_changes(former: Charter, following: Charter) -> list[str]:
    before, now = release_quorum(former), release_quorum(following)
    if before != now:
        # Of five members three say less than of three all do: what counts is the share.
        lowered = now * len(former.members) < before * len(following.members)
        return [
            f"{now} of {len(following.members)} members must sign a release, before {before} of {len(former.members)}"
            + (": LOWERED" if lowered else "")
        ]
    if former.release_quorum != following.release_quorum:
        said = "is fixed" if following.release_quorum is not None else "follows the number of members"
        return [f"how many members must sign a release {said} from now on: {now} of {len(following.members)}"]
    return []
