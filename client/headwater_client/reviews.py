"""What an organisation is shown before and after it decides: charter, plan, runs, its own standing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import Charter, SignedCharter
from headwater.privacy.events import Event
from headwater_client.budget import OwnLimit
from headwater_client.coordinator import RunStatus
from headwater_client.policy import Decision
from headwater_client.store.cohorts import Allowance, StoredCohort, Trust

__all__ = ["CharterReview", "CohortReview", "OrganisationStatus", "PlanReview", "RunReview"]


@dataclass(frozen=True, slots=True)
class CharterReview:
    """The newest version of the charter, every signature checked, and whether this organisation has accepted it.

    Attributes:
        signed: the charter with the signatures that it has.
        accepted: by a person here.
        ours: this organisation's id; the charter may no longer name it.
        former: the version before; None for version 1.
        in_force: whether its signatures suffice.
        changes: what it changes against the version that was accepted here last, or else against the one before; one
            line each.
    """

    signed: SignedCharter
    accepted: bool
    ours: str
    former: Charter | None
    in_force: bool
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanReview:
    """A proposed run and what the policy says of it.

    Attributes:
        proposal: verified against its charter.
        charter: the version in force that it was proposed under; a later one changes nothing for it.
        policy: the policy's decision.
        decided: this organisation's own decision so far, "approve" or "refuse"; None before one.
        waits_for: why it cannot be approved now, whatever the policy says; empty when it can.
        charged: what all other runs charged that counts together with it.
        limit: the organisation's own, on what all runs may cost.
    """

    proposal: SignedProposal
    charter: Charter
    policy: Decision
    decided: str | None
    waits_for: str
    charged: tuple[Event, ...]
    limit: OwnLimit


@dataclass(frozen=True, slots=True)
class RunReview:
    """A run in the coordinator's words, and this organisation's own decision on it.

    Attributes:
        status: what the coordinator says; unsigned.
        decided: "approve" or "refuse", from the own records; None before a decision.
        by_rule: decided by the standing rule.
        rounds_here: rounds whose receipt or abort is kept here.
    """

    status: RunStatus
    decided: str | None
    by_rule: bool
    rounds_here: int


@dataclass(frozen=True, slots=True)
class OrganisationStatus:
    """How things stand.

    Attributes:
        member_id: this organisation.
        name: as people know it.
        coordinator: its address.
        certificate_expires: UTC.
        charter: the version that it holds to, if any.
        charter_standing: what is to be known of that version, one line.
        ledger: how many entries its privacy ledger has, or what is wrong with it, one line.
        ledger_holds: whether nothing is; if not, it takes part in no run.
        serving: whether a process serves from this folder.
        reachable: whether the coordinator answered.
        problem: why not, one line; empty when it did.
        runs: newest last; empty while the coordinator is away.
    """

    member_id: str
    name: str
    coordinator: str
    certificate_expires: datetime
    charter: SignedCharter | None
    charter_standing: str
    ledger: str
    ledger_holds: bool
    serving: bool
    reachable: bool
    problem: str
    runs: tuple[RunReview, ...]


@dataclass(frozen=True, slots=True)
class CohortReview:
    """The records of protocol 4.10.

    Attributes:
        cohorts: with whom each family of sums was confirmed here, oldest first.
        allowances: exceptions for a family.
        trusts: members that were let back with an older record file.
        rolled_back: members refused for an older record file → the count of records that they showed.
    """

    cohorts: tuple[StoredCohort, ...]
    allowances: tuple[Allowance, ...]
    trusts: tuple[Trust, ...]
    rolled_back: Mapping[str, int]
