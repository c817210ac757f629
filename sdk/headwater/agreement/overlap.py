"""What a person costs whose records several organisations hold: more, unless the charter declares that nobody does."""

from dataclasses import replace

from headwater.agreement.charter import Charter
from headwater.errors import InputError
from headwater.privacy.events import Event

__all__ = ["event_for_person", "organisations_of_person", "people_in_words"]


def organisations_of_person(charter: Charter, organisations: int) -> int:
    """In how many of the organisations of a sum the records of one person may be.

    Args:
        charter: under which the sum was made.
        organisations: in the sum, from 1 on.

    Returns:
        1 where the members declared that they hold records of different people, else all of them.

    Raises:
        InputError: a sum of no organisation.
    """
    if organisations < 1:
        raise InputError(f"a sum over {organisations} organisations is asked about, expected at least 1")
    return 1 if charter.disjoint_people else organisations


def event_for_person(event: Event, organisations: int) -> Event:
    """What an event is to a person with records in several organisations, each within the event's own bound.

    Args:
        event: as charged, for whose records are at one organisation.
        organisations: that hold records of the person.

    Returns:
        An event of `organisations` times as many records: the sum moves by as much together.

    Raises:
        InputError: more records than an event can have.

    Guarantee: the sum holds the event's noise once, so removing the person from all of them moves it by at most the
        sum of what each removal moves (group privacy, Dwork, Roth 2014, Theorem 2.2, exactly rather than by a bound).
    """
    return replace(event, records=event.records * organisations)


def people_in_words(charter: Charter) -> str:
    """What the charter says of people in several organisations, in one sentence."""
    if charter.disjoint_people:
        return "The members declare that nobody's records are at more than one of them."
    return "Somebody's records may be at several members: ε of such a person is larger, as all of them add up."
