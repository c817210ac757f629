"""A run's receipts as one organisation holds them, in one file that can be verified anywhere, without a network."""

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.agreement.documents import Document, MemberId

__all__ = ["ReceiptFile"]

_Round = Annotated[int, Field(ge=1, lt=2**53)]


def _read(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _write(value: bytes) -> str:
    return base64.b64encode(value).decode()


_Message = Annotated[bytes, BeforeValidator(_read), PlainSerializer(_write, return_type=str, when_used="json")]


class ReceiptFile(Document):
    """What one member was given of a run, as it came.

    Attributes:
        format: of this file.
        member: whose records these are.
        charters: every version of the charter from the first to the one of the run.
        proposal: the run's plan, as the coordinator signed it.
        documents: receipts and aborts, oldest first.
        openings: number of the setup → the message that opened its session.
        confirmed: rounds of which the member recorded the cohort before its Confirm left (protocol 4.10).
    """

    format: Literal["headwater-receipts-1"] = "headwater-receipts-1"
    member: MemberId
    charters: tuple[SignedCharter, ...]
    proposal: SignedProposal
    documents: tuple[_Message, ...]
    openings: Mapping[_Round, _Message]
    confirmed: tuple[_Round, ...] = ()

    @property
    def run_id(self) -> str:
        """The run."""
        return self.proposal.proposal.run_id
