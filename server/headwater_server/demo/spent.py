"""What a private run spent, told by three that do not trust one another, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.ledger import SignedLedger, events_of
from headwater.errors import ReleaseRefused
from headwater.privacy.accountant import spent
from headwater.privacy.words import rounded_up
from headwater.release.layout import MANIFEST
from headwater.release.privacy_claim import PrivacyClaim
from headwater.release.replay import replay
from headwater.release.verification import read_manifest

__all__ = ["SpentByAll", "compare", "keep_ledgers", "stated_in"]


@dataclass(frozen=True, slots=True)
class SpentByAll:
    """ε of one run at its plan's δ, rounded up.

    Attributes:
        claim: of the release, which its card and pages show.
        ledgers: by organisation, from the charges of this run in the ledger that each has signed.
        replayed: by whoever verifies the release.
    """

    claim: PrivacyClaim
    ledgers: Mapping[str, float]
    replayed: float

    @property
    def lines(self) -> tuple[str, str, str]:
        """One line for each of the three."""
        lines = (
            ("the card", self.claim.epsilon, "stated, and signed by the coordinator"),
            (
                f"{len(self.ledgers)} ledgers",
                max(self.ledgers.values()),
                "charged by each organisation, before it sent",
            ),
            ("headwater verify", self.replayed, "replayed by a researcher from the signed events"),
        )
        first, second, third = (f"{who:<18}ε = {epsilon:g}  ({how})" for who, epsilon, how in lines)
        return first, second, third

    def to_document(self) -> dict[str, object]:
        """The entry "privacy" of the demo's result."""
        claim = self.claim.model_dump(mode="json")
        return {**claim, "ledgers": dict(self.ledgers), "replayed": self.replayed}


def stated_in(dataset: Path) -> PrivacyClaim:
    """What a downloaded release claims.

    Raises:
        ReleaseRefused: it claims nothing.
    """
    privacy = read_manifest((dataset / MANIFEST).read_bytes()).manifest.protection.privacy
    if isinstance(privacy, PrivacyClaim):
        return privacy
    raise ReleaseRefused(f"{dataset} is of a run under a privacy budget and claims none; do not rely on it")


def keep_ledgers(folder: Path, ledgers: Mapping[str, SignedLedger]) -> None:
    """Leave every organisation's ledger as it exported it, a file for each, for whoever checks them by hand.

    Args:
        folder: to make.
        ledgers: by member.
    """
    folder.mkdir()
    for member, signed in ledgers.items():
        (folder / f"{member}.json").write_bytes(signed.to_bytes())


def compare(claim: PrivacyClaim, run_id: str, ledgers: Mapping[str, SignedLedger], said: str) -> SpentByAll:
    """Account for a run by the release's own events and by every organisation's ledger.

    Args:
        claim: of the release.
        run_id: of the run.
        ledgers: by member, as exported.
        said: what `headwater verify` printed.

    Raises:
        ReleaseRefused: they do not come to the same.
        PeerError: a ledger's signature or chain is wrong.
    """
    replayed = replay(claim)
    if replayed.epsilon is None or replayed.in_words not in " ".join(said.split()):
        raise ReleaseRefused("headwater verify did not replay ε from the release's events; look at what it said")
    found = {}
    for member, signed in ledgers.items():
        signed.verify()
        entries = [entry for entry in signed.ledger.entries if entry.run_id == run_id]
        found[member] = rounded_up(spent(events_of(entries), claim.delta).epsilon)
    told = SpentByAll(claim, found, rounded_up(replayed.epsilon))
    if {told.replayed, *found.values()} != {claim.epsilon}:
        apart = ", ".join(f"{member}'s ledger {epsilon:g}" for member, epsilon in sorted(found.items()))
        raise ReleaseRefused(
            f"card {claim.epsilon:g}, headwater verify {told.replayed:g} and {apart} do not agree on ε; do not rely on "
            "this release"
        )
    return told
