"""The coordinator's copy of a run's chain: its head, its documents, and what a member has not seen of it."""

from collections.abc import Sequence

from headwater.errors import InputError, PeerError
from headwater.secagg.protocol.receipts import Chain, Document, read_document
from headwater.secagg.protocol.session import genesis
from headwater.secagg.protocol.terms import Roster, SessionTerms

__all__ = ["RunRecord"]


class RunRecord:
    """Every receipt and abort of a run so far, in order (protocol 4.7: one chain across the run's sessions)."""

    def __init__(self, roster: Roster, terms: SessionTerms, stored: Sequence[bytes]) -> None:
        """Read the stored documents.

        Raises:
            InputError: they are no chain of this run.
        """
        self._roster = roster
        self.chain = Chain(genesis(roster, terms))
        self._genesis = self.chain.head
        self._documents: list[Document] = []
        try:
            for data in stored:
                self.add(data)
        except PeerError as error:
            raise InputError(f"the stored chain of the run is unusable ({error}); restore it") from error

    @property
    def next_round(self) -> int:
        """The number after the last document's."""
        return self.chain.last_round + 1

    @property
    def cohort(self) -> frozenset[str]:
        """The members whose Confirms were asked last; nobody before the first (protocol 4.10)."""
        for document in reversed(self._documents):
            if document.asked_confirms:
                return frozenset(document.members)
        return frozenset()

    @property
    def blamed(self) -> frozenset[str]:
        """The members whose fault an abort of the run states; the run goes on without them (protocol 4.8)."""
        return frozenset(member for document in self._documents for member in document.blamed)

    @property
    def colluders(self) -> int:
        """c: members that may lie, as charter and plan say (protocol 1.2)."""
        return self._roster.colluders

    @property
    def disputes(self) -> tuple[tuple[str, str], ...]:
        """Every pair of the run of whom one lies, in the order in which they came up (protocol 4.2)."""
        return tuple(pair for document in self._documents for pair in document.disputes)

    def add(self, data: bytes) -> Document:
        """Make a signed document the head of the chain."""
        document = read_document(data, self._roster)
        self.chain.extend(document)
        self._documents.append(document)
        return document

    def after(self, round_number: int) -> list[bytes]:
        """The documents of all later rounds, in order."""
        return [document.data for document in self._documents if document.round > round_number]

    def round_of(self, digest: bytes) -> int:
        """The round that a document's digest closes, 0 for the run's genesis.

        Raises:
            PeerError: no document here has this digest.
        """
        if digest == self._genesis:
            return 0
        for document in self._documents:
            if document.digest == digest:
                return document.round
        raise PeerError("a member holds a receipt unknown to this coordinator; one of their records was rolled back")
