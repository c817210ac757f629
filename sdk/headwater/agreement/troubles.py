"""What an organisation may tell the operator when its part in a run goes wrong: one of a few words, never a value."""

from enum import StrEnum

__all__ = ["Trouble", "trouble_in_words"]


class Trouble(StrEnum):
    """What keeps an organisation from taking part; columns and counts stay in its own log (protocol 7.19)."""

    ROWS_UNREADABLE = "rows-unreadable"
    ROWS_REFUSED = "rows-refused"
    NOT_AGREED = "not-agreed"
    SETUPS_USED = "setups-used"
    LIMIT_REACHED = "limit-reached"
    BROKEN = "broken"


_WORDS = {
    Trouble.ROWS_UNREADABLE: "its rows cannot be read; its own log names the file",
    Trouble.ROWS_REFUSED: "its rows do not hold to the plan's schema; its own log names the columns, and "
    "headwater-org check lists every problem there",
    Trouble.NOT_AGREED: "it takes no part: its approval, policy or installed version does not allow the run now; its "
    "own log says which",
    Trouble.SETUPS_USED: "it has used up its setups of this run; propose a new one",
    Trouble.LIMIT_REACHED: "its privacy limit is reached: the run would take it beyond; its own log says by how much",
    Trouble.BROKEN: "its part broke off; its own log says why",
}


def trouble_in_words(trouble: Trouble) -> str:
    """What it means and who can mend it, for the operator."""
    return _WORDS[trouble]
