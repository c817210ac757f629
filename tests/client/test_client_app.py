"""The ClientApp: an invitation in, one word out."""

import pytest
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from headwater.errors import OutOfOrder, PeerError
from headwater.flower_bundle import INVITATION_MESSAGE_TYPE
from headwater_client.app import app
from headwater_client.flower.client_app import Outcome, build_client_app, invited_run

RUN = "0f" * 16
CONTEXT = Context(run_id=1, node_id=2, node_config={}, state=RecordDict(), run_config={})


@pytest.fixture(autouse=True)
def sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flower sets in the process that makes a message."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def invitation(content: RecordDict | None = None) -> Message:
    record = RecordDict({"headwater": ConfigRecord({"run_id": RUN})}) if content is None else content
    return Message(record, dst_node_id=2, message_type=INVITATION_MESSAGE_TYPE)


@pytest.mark.parametrize("outcome", ["done", "refused"])
def test_the_reply_is_one_word_and_nothing_else(outcome: Outcome) -> None:
    joined: list[str] = []

    def join(run_id: str) -> Outcome:
        joined.append(run_id)
        return outcome

    reply = build_client_app(join)(invitation(), CONTEXT)
    assert joined == [RUN]
    assert list(reply.content) == ["headwater"]
    assert dict(reply.content.config_records["headwater"]) == {"outcome": outcome}


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"headwater": ConfigRecord({})}),
        RecordDict({"headwater": ConfigRecord({"run_id": 7})}),
        RecordDict({"headwater": ConfigRecord({"run_id": "../../etc"})}),
        RecordDict({"headwater": ConfigRecord({"run_id": RUN.upper()})}),
    ],
)
def test_a_message_that_is_no_invitation_is_refused(content: RecordDict) -> None:
    with pytest.raises(PeerError, match="no run"):
        invited_run(invitation(content))


def test_an_error_in_place_of_an_invitation_is_refused() -> None:
    with pytest.raises(PeerError, match="error in place"):
        invited_run(Message(Error(code=0), reply_to=invitation()))


def test_the_app_that_the_bundle_names_does_nothing_outside_serve() -> None:
    with pytest.raises(OutOfOrder, match="headwater-org serve"):
        app(invitation(), CONTEXT)
