"""The ClientApp: hands an invited run's id to this organisation's agent, replies with one word.

Flower carries the invitation and that word, nothing else: no weights, no metric, no row count (house.md).
"""

import re
from collections.abc import Callable
from typing import Literal

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from headwater.errors import OutOfOrder, PeerError
from headwater.flower_bundle import INVITATION_MESSAGE_TYPE, OUTCOME_KEY, RECORD_NAME, RUN_KEY

__all__ = ["Join", "Outcome", "app", "build_client_app", "invited_run"]

Outcome = Literal["done", "refused"]

Join = Callable[[str], Outcome]
"""Takes part in the run with this id until it is over; decides by this organisation's own approval."""

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def invited_run(message: Message) -> str:
    """The run id that an invitation names.

    Raises:
        PeerError: the message is not an invitation.
    """
    if message.has_error():
        raise PeerError("Flower delivered an error in place of an invitation; the coordinator must invite again")
    record = message.content.config_records.get(RECORD_NAME)
    run_id = record.get(RUN_KEY) if record is not None else None
    if not isinstance(run_id, str) or _RUN_ID.fullmatch(run_id) is None:
        raise PeerError("an invitation names no run by 32 hexadecimal digits; update the coordinator")
    return run_id


def build_client_app(join: Join) -> ClientApp:
    """A ClientApp that answers invitations with `join`."""
    client_app = ClientApp()

    def answer(message: Message, context: Context) -> Message:
        outcome = join(invited_run(message))
        return Message(RecordDict({RECORD_NAME: ConfigRecord({OUTCOME_KEY: outcome})}), reply_to=message)

    getattr(client_app, INVITATION_MESSAGE_TYPE)()(answer)
    return client_app


def _nobody_serves(run_id: str) -> Outcome:
    raise OutOfOrder(
        f"run {run_id} was started outside `headwater-org serve`, which alone holds keys and rows; start that"
    )


app = build_client_app(_nobody_serves)
