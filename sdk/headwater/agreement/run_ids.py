"""How a run is named by the first digits of its id, alike on every command line."""

from collections.abc import Collection

from headwater.errors import InputError

__all__ = ["RUN_ID_DIGITS", "SHORTEST_PREFIX", "find_run", "read_digits"]

RUN_ID_DIGITS = 32
SHORTEST_PREFIX = 4
"""Below this a typing error too easily names another run."""


def read_digits(text: str, listed_by: str) -> str:
    """A run id or the beginning of one, as typed.

    Args:
        text: 4 to 32 hexadecimal digits, in either case; blanks around them do not matter.
        listed_by: the command that shows the runs, for the error.

    Raises:
        InputError: it is neither.
    """
    digits = text.strip().lower()
    if not set(digits) <= set("0123456789abcdef") or not SHORTEST_PREFIX <= len(digits) <= RUN_ID_DIGITS:
        raise InputError(
            f"{text!r} is no run id; give its {RUN_ID_DIGITS} hexadecimal digits or at least the first "
            f"{SHORTEST_PREFIX} ({listed_by} shows them)"
        )
    return digits


def find_run(text: str, run_ids: Collection[str], listed_by: str) -> str:
    """The one run whose id begins with these digits.

    Raises:
        InputError: the text is no beginning of an id, or begins none of these runs, or several.
    """
    digits = read_digits(text, listed_by)
    found = [run_id for run_id in run_ids if run_id.startswith(digits)]
    if len(found) != 1:
        what = "no run begins" if not found else f"{len(found)} runs begin"
        raise InputError(f"{what} with {digits}; {listed_by} shows the runs")
    return found[0]
