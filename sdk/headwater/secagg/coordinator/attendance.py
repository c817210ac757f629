"""Which members the coordinator can count on right now, and how much of the run's chain each has seen."""

from dataclasses import dataclass, field

__all__ = ["Attendance"]


@dataclass
class Attendance:
    """Presence of members, kept from stream events and authentic messages.

    Attributes:
        connected: members with an open stream, which proves nothing about the process behind it.
        present: connected members that showed since then that they hold this setup's keys.
        left_out: members that refused or were at fault; no later cohort of the session has them.
        known_round: the last round whose document a member surely has.
    """

    connected: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    known_round: dict[str, int] = field(default_factory=dict)

    def arrive(self, member: str) -> None:
        """A stream opened; the member is present once it shows a key."""
        self.connected.add(member)
        self.present.discard(member)

    def leave(self, member: str) -> None:
        """The stream ended."""
        self.connected.discard(member)
        self.present.discard(member)

    def show(self, member: str) -> bool:
        """An authentic message came; tells whether that makes the member newly present."""
        if member in self.present or member not in self.connected:
            return False
        self.present.add(member)
        return True

    def learn(self, member: str, round_number: int) -> None:
        """The member proved to hold the chain up to this round."""
        self.known_round[member] = max(self.known_round.get(member, 0), round_number)
