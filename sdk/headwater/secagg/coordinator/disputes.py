"""Pairs of members of whom one must be lying, and whom the next cohorts leave out for it: protocol 4.2, 4.7."""

from collections import Counter
from collections.abc import Collection, Iterable

__all__ = ["Disputes"]


class Disputes:
    """Who accused whom in one run. The coordinator cannot tell which of the two lies, so nobody is convicted."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = (), colluders: int = 1) -> None:
        """Begin with the pairs (accuser, accused) of the run so far, in which `colluders` members may lie."""
        self._pairs, self._colluders = set(pairs), colluders
        self._ended, self._dealers, self._receivers = 0, frozenset[str](), frozenset[str]()

    def add(self, accuser: str, accused: str) -> None:
        """Note a pair; the same again changes nothing."""
        self._pairs.add((accuser, accused))

    def end_round(self, number: int, cohort: Iterable[str], uploaded: Iterable[str]) -> None:
        """Note the round that a complaint ended; whoever had not uploaded may have the same to say, late."""
        dealers = frozenset(cohort)
        self._ended, self._dealers, self._receivers = number, dealers, dealers - set(uploaded)

    def add_late(self, number: int, accuser: str, accused: str) -> bool:
        """Note a pair of the round that another complaint ended; whether it is one."""
        heard = number == self._ended and accused in self._dealers and accuser in self._receivers
        if heard:
            self.add(accuser, accused)
        return heard

    def left_out(self, present: Collection[str], least: int) -> frozenset[str]:
        """Whom a next cohort leaves out, so that no disputing pair is in it.

        Whoever disputes with more members than may lie is at fault, and goes first. Fewer prove nothing, for they may
        all be liars with one victim: of each such pair both go, if `least` members remain without them; else the
        accuser does.

        Args:
            present: members that could take part.
            least: the least size of a cohort.
        """
        out: set[str] = set()
        while pairs := {pair for pair in self._pairs if out.isdisjoint(pair) and set(pair) <= set(present)}:
            # A pair that accuses each other is one dispute, not two.
            degrees = Counter(member for pair in {frozenset(pair) for pair in pairs} for member in pair)
            member, degree = min(degrees.items(), key=lambda item: (-item[1], item[0]))
            if degree > self._colluders:
                out.add(member)
                continue
            accuser, accused = min(pairs)
            enough = len(set(present) - out) - 2 >= least
            out |= {accuser, accused} if enough else {accuser}
        return frozenset(out)
