"""What a plan's choice on a change of members protects, in the words that every screen and document uses."""

from typing import Literal

__all__ = [
    "Differencing",
    "MembershipChange",
    "choice_in_words",
    "differencing_of",
    "differencing_statement",
    "protection_words",
]

MembershipChange = Literal["strict", "continue"]
"""What a sum over other organisations than before means (protocol 4.10 iii); a plan must choose."""

Differencing = Literal["one cohort", "unprotected"]
"""What holds of a run's sums, as a manifest records it."""

_RESULTS: dict[MembershipChange, str] = {
    "strict": "one cohort: sums over different sets of organisations cannot be subtracted",
    "continue": "no protection against differencing",
}

_CHOICES: dict[MembershipChange, str] = {
    "strict": "strict: each organisation keeps a record of whose rows were summed with its own, and refuses a sum over "
    "others, in this run and in later ones; so no two sums differ by one organisation. When an organisation "
    "of a finished sum stays away, the run waits for it as long as its setups last, and then fails",
    "continue": "continue: the run goes on with those that remain — no protection against differencing: the sums of "
    "two different sets of organisations can be subtracted from each other",
}

_STATEMENTS: dict[Differencing, tuple[str, str]] = {
    "one cohort": (
        "One cohort, no differencing of sums",
        "Each organisation kept a record of whose rows were summed with its own, and refused a sum over others unless "
        "a person there allowed it; so one organisation's part cannot be had by subtracting sums. This says "
        "nothing of what one sum tells by itself.",
    ),
    "unprotected": (
        "No protection against differencing",
        "The set of organisations behind a sum may have changed between rounds or runs; whoever compares such "
        "sums may learn one organisation's part.",
    ),
}


def protection_words(choice: MembershipChange) -> str:
    """What results and progress say of a run under this choice."""
    return _RESULTS[choice]


def choice_in_words(choice: MembershipChange) -> str:
    """What the choice means for a run, for whoever drafts or approves the plan."""
    return _CHOICES[choice]


def differencing_of(choice: MembershipChange) -> Differencing:
    """What a manifest records of a run under this choice."""
    return "one cohort" if choice == "strict" else "unprotected"


def differencing_statement(differencing: Differencing) -> tuple[str, str]:
    """(short, full) for the card, the dataset's page and `headwater show`."""
    return _STATEMENTS[differencing]
