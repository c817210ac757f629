"""What came of one attack on one system."""

from dataclasses import dataclass

__all__ = ["Comparison", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The end of one attack.

    Attributes:
        opened: whether the server learned what the masks should hide.
        text: what was measured, or the refusal in the refusing party's words.
        otherwise: the word for an attack that opened nothing.
    """

    opened: bool
    text: str
    otherwise: str = "REFUSED"

    @property
    def verdict(self) -> str:
        """One word for the table."""
        return "OPENED" if self.opened else self.otherwise


@dataclass(frozen=True)
class Comparison:
    """One request of a lying server, made to both systems.

    Attributes:
        request: what the server asks or does.
        flower: what came of it under Flower's SecAgg+.
        headwater: what came of it under Headwater.
    """

    request: str
    flower: Outcome
    headwater: Outcome

    @property
    def as_expected(self) -> bool:
        """Whether the attack opened the one and was refused by the other."""
        return self.flower.opened and not self.headwater.opened
