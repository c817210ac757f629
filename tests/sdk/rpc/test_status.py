"""The table of statuses: every class survives the wire, nothing else gets through."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater import errors
from headwater.errors import HeadwaterError, PeerError, StorageError, TransportError
from headwater.rpc.status import MAXIMUM_TEXT, error_of_status, one_line, refusal_of_error

CLASSES = [getattr(errors, name) for name in errors.__all__ if name != "HeadwaterError"]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_class_comes_back_as_itself(kind: type[HeadwaterError]) -> None:
    refusal = refusal_of_error(kind("what is; what was expected; what to do"))
    assert type(error_of_status(refusal.status, refusal.text, "host:1")) is kind
    assert refusal.code == kind.code


def test_no_status_stands_for_two_classes() -> None:
    statuses = [refusal_of_error(kind("line")).status for kind in CLASSES]
    assert len(set(statuses)) == len(CLASSES)


@pytest.mark.parametrize("error", [RuntimeError("/srv/state.db"), StorageError("/srv/state.db is full"), KeyError(1)])
def test_internals_stay_where_they_are(error: Exception) -> None:
    assert "/srv" not in refusal_of_error(error).text
    assert type(error).__name__ not in refusal_of_error(error).text


@pytest.mark.parametrize("status", list(grpc.StatusCode))
def test_every_status_becomes_one_of_our_errors(status: grpc.StatusCode) -> None:
    error = error_of_status(status, "text\nof the other side", "host:1", from_service=False)
    assert isinstance(error, HeadwaterError)
    assert "\n" not in str(error)


def test_a_coordinator_that_is_away_is_told_from_one_that_answers() -> None:
    away = error_of_status(grpc.StatusCode.UNAVAILABLE, "Connection refused", "host:1", from_service=False)
    assert str(away) == "cannot reach host:1 (Connection refused); is headwater-coordinator serve running?"
    busy = error_of_status(grpc.StatusCode.UNAVAILABLE, "the run has no open session", "host:1")
    assert isinstance(busy, TransportError)
    assert str(busy) == "the run has no open session"


def test_a_message_above_grpcs_limit_is_a_peers_error() -> None:
    text = "Received message larger than max"
    error = error_of_status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "host:1", from_service=False)
    assert isinstance(error, PeerError)


@given(st.text())
def test_foreign_text_is_one_short_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= MAXIMUM_TEXT
