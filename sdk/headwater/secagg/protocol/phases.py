"""The order of a session for either side, as one transition table each: protocol 3, 4."""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from headwater.errors import OutOfOrder
from headwater.secagg.wire.envelope import MessageType

__all__ = [
    "COORDINATOR_TABLE",
    "EXPECTED_IN",
    "IN_ROUND",
    "MEMBER_TABLE",
    "CoordinatorPhase",
    "CoordinatorStage",
    "CoordinatorStep",
    "MemberPhase",
    "MemberStage",
    "MemberStep",
    "Stage",
    "advance",
]


class MemberPhase(Enum):
    """Where a participant stands."""

    WAITING = "waiting for an invitation"
    GREETED = "hello sent"
    ACCEPTED = "accept sent"
    READY = "between rounds"
    RECEIVING = "receiving the task"
    COMPUTING = "computing the vector"
    UPLOADED = "vector uploaded"
    CONFIRMED = "confirm sent"
    REVEALED = "shares revealed"
    CLOSED = "closed"


class MemberStep(Enum):
    """What moves a participant on."""

    GREET = "greet"
    ACCEPT = "accept"
    ENTER = "enter the session"
    BEGIN_ROUND = "begin a round"
    REQUEST = "request the vector"
    UPLOAD = "upload"
    CONFIRM = "confirm"
    REVEAL = "reveal"
    END_ROUND = "end the round"
    CLOSE = "close"


class CoordinatorPhase(Enum):
    """Where an aggregator stands."""

    GREETING = "hello"
    ACCEPTING = "accept"
    READY = "between rounds"
    DEALING = "deal"
    UPLOADING = "upload"
    CONFIRMING = "confirm"
    REVEALING = "reveal"
    INQUIRING = "inquiry"
    CLOSED = "closed"


class CoordinatorStep(Enum):
    """What moves an aggregator on."""

    HELLOS_IN = "all hellos are in"
    ACCEPTS_IN = "all accepts are in"
    BEGIN_ROUND = "begin a round"
    DEALS_IN = "all deals are in"
    UPLOADS_IN = "all uploads are in"
    CONFIRMS_IN = "all confirms are in"
    INQUIRE = "ask who is at fault"
    END_ROUND = "end the round"
    CLOSE = "close"


_M, _S = MemberPhase, MemberStep
_C, _T = CoordinatorPhase, CoordinatorStep

IN_ROUND = frozenset({_M.RECEIVING, _M.COMPUTING, _M.UPLOADED, _M.CONFIRMED, _M.REVEALED})
"""A participant's phases inside a round."""

MEMBER_TABLE: Mapping[tuple[MemberPhase, MemberStep], MemberPhase] = {
    (_M.WAITING, _S.GREET): _M.GREETED,
    (_M.GREETED, _S.ACCEPT): _M.ACCEPTED,
    (_M.ACCEPTED, _S.ENTER): _M.READY,
    (_M.READY, _S.BEGIN_ROUND): _M.RECEIVING,
    (_M.RECEIVING, _S.REQUEST): _M.COMPUTING,
    (_M.COMPUTING, _S.UPLOAD): _M.UPLOADED,
    (_M.UPLOADED, _S.CONFIRM): _M.CONFIRMED,
    (_M.CONFIRMED, _S.REVEAL): _M.REVEALED,
    **{(phase, _S.END_ROUND): _M.READY for phase in IN_ROUND},
    **{(phase, _S.CLOSE): _M.CLOSED for phase in MemberPhase},
}

COORDINATOR_TABLE: Mapping[tuple[CoordinatorPhase, CoordinatorStep], CoordinatorPhase] = {
    (_C.GREETING, _T.HELLOS_IN): _C.ACCEPTING,
    (_C.ACCEPTING, _T.ACCEPTS_IN): _C.READY,
    (_C.READY, _T.BEGIN_ROUND): _C.DEALING,
    (_C.DEALING, _T.DEALS_IN): _C.UPLOADING,
    (_C.UPLOADING, _T.UPLOADS_IN): _C.CONFIRMING,
    (_C.CONFIRMING, _T.CONFIRMS_IN): _C.REVEALING,
    (_C.REVEALING, _T.INQUIRE): _C.INQUIRING,
    (_C.INQUIRING, _T.INQUIRE): _C.INQUIRING,
    **{(phase, _T.END_ROUND): _C.READY for phase in (_C.UPLOADING, _C.CONFIRMING, _C.REVEALING, _C.INQUIRING)},
    **{(phase, _T.CLOSE): _C.CLOSED for phase in CoordinatorPhase},
}

EXPECTED_IN: Mapping[MessageType, CoordinatorPhase] = {
    MessageType.HELLO: _C.GREETING,
    MessageType.ACCEPT: _C.ACCEPTING,
    MessageType.CAPSULES: _C.ACCEPTING,
    MessageType.CHUNK: _C.UPLOADING,
    MessageType.UPLOAD: _C.UPLOADING,
    MessageType.CONFIRM: _C.CONFIRMING,
    MessageType.REVEAL: _C.REVEALING,
    MessageType.BLOCKS: _C.INQUIRING,
    MessageType.SEED: _C.INQUIRING,
}
"""The one phase in which the coordinator takes a message; Deals, complaints and refusals come at any time."""

_Phase = TypeVar("_Phase", bound=Enum)
_Step = TypeVar("_Step", bound=Enum)


def advance(table: Mapping[tuple[_Phase, _Step], _Phase], phase: _Phase, step: _Step) -> _Phase:
    """The phase after `step`.

    Raises:
        OutOfOrder: the table has no such step from this phase.
    """
    try:
        return table[phase, step]
    except KeyError as error:
        raise OutOfOrder(f"'{step.value}' is not possible in the phase '{phase.value}'; wait for its turn") from error


class Stage(Generic[_Phase, _Step]):
    """A party's phase with the deadline that ends it."""

    def __init__(
        self, table: Mapping[tuple[_Phase, _Step], _Phase], phase: _Phase, deadline: float | None = None
    ) -> None:
        """Begin in `phase` of a table."""
        self._table, self.phase, self.deadline = table, phase, deadline

    def move(self, step: _Step, deadline: float | None) -> None:
        """Take a step of the table; the new phase ends at `deadline` at the latest.

        Raises:
            OutOfOrder: the table has no such step from this phase.
        """
        self.phase, self.deadline = advance(self._table, self.phase, step), deadline


MemberStage = Stage[MemberPhase, MemberStep]
CoordinatorStage = Stage[CoordinatorPhase, CoordinatorStep]
