"""Charter and runs over mutual TLS: what members may sign and see."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from headwater.agreement.troubles import Trouble
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.rpc.v1 import run_pb2
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.consortium import ConsortiumClient
from headwater_server.services.ports import RunRecord
from support.consortium import ConsortiumInMemory
from support.rpc import RpcCoordinator

RUN = "0f" * 16


class Setting:
    """A coordinator with a proposed charter, one run, and a client for each member."""

    def __init__(self, coordinator: RpcCoordinator, stack: ExitStack) -> None:
        self.consortium = ConsortiumInMemory()
        self.store = coordinator.store
        self._coordinator, self._stack = coordinator, stack
        self.store.signed_charter = self.consortium.signed_charter(without=tuple(self.consortium.keys))
        proposal = self.consortium.proposal(run_id=RUN)
        self.store.proposals[RUN] = proposal
        plan = proposal.proposal.plan
        self.store.records[RUN] = RunRecord(
            run_id=RUN,
            plan_name=plan.name,
            plan_digest=plan.digest,
            state="proposed",
            rounds_done=0,
            rounds_planned=7,
            created=proposal.proposal.created,
            detail="waits for org-2\x1b[2J",
            decisions={"org-1": "approve"},
        )

    def client(self, member: str) -> ConsortiumClient:
        identity = self._coordinator.admit(member)
        channel = self._stack.enter_context(CoordinatorChannel(self._coordinator.members, identity))
        return ConsortiumClient(channel)


@pytest.fixture
def setting(coordinator: RpcCoordinator) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(coordinator, stack)


def test_the_charter_is_in_force_when_the_last_member_has_signed(setting: Setting) -> None:
    charter = setting.consortium.charter()
    for member, key in setting.consortium.keys.items():
        client = setting.client(member)
        assert member in client.charter().missing_signatures
        signed = client.sign_charter(charter.digest, charter.signed_by(key))
        assert member not in signed.missing_signatures
    setting.client("org-1").charter().verify()


def test_signing_twice_is_the_same_as_once(setting: Setting) -> None:
    charter, key = setting.consortium.charter(), setting.consortium.keys["org-1"]
    client = setting.client("org-1")
    first = client.sign_charter(charter.digest, charter.signed_by(key))
    assert client.sign_charter(charter.digest, charter.signed_by(key)) == first


def test_a_signature_of_another_member_is_refused(setting: Setting) -> None:
    charter = setting.consortium.charter()
    with pytest.raises(PeerError, match="the signature of 'org-1' on the charter is wrong"):
        setting.client("org-1").sign_charter(charter.digest, charter.signed_by(setting.consortium.keys["org-2"]))
    assert setting.store.signed_charter is not None
    assert not setting.store.signed_charter.signatures


def test_a_signature_on_a_charter_that_was_changed_since_is_refused(setting: Setting) -> None:
    charter = setting.consortium.charter(consortium="Another one")
    with pytest.raises(OutOfOrder, match="the charter was changed"):
        setting.client("org-1").sign_charter(charter.digest, charter.signed_by(setting.consortium.keys["org-1"]))


def test_a_charter_with_a_forged_signature_is_refused_by_the_client(setting: Setting) -> None:
    signed = setting.consortium.signed_charter()
    setting.store.signed_charter = signed.model_copy(update={"signatures": {"org-1": "00" * 64}})
    with pytest.raises(PeerError, match="the signature of 'org-1' on the charter is wrong"):
        setting.client("org-2").charter()


def test_before_a_charter_is_proposed_there_is_one_clear_line(setting: Setting) -> None:
    setting.store.signed_charter = None
    with pytest.raises(OutOfOrder, match="no charter is proposed yet"):
        setting.client("org-1").charter()


def test_a_run_is_listed_and_shown_as_it_was_signed(setting: Setting) -> None:
    client = setting.client("org-1")
    (status,) = client.runs()
    assert status == client.status(RUN)
    assert (status.run_id, status.state, status.rounds_planned) == (RUN, "proposed", 7)
    assert dict(status.decisions) == {"org-1": "approve"}
    proposal = client.proposal(RUN)
    assert proposal == setting.store.proposals[RUN]
    proposal.verify(setting.consortium.charter())


def test_control_characters_of_the_coordinator_do_not_reach_a_terminal(setting: Setting) -> None:
    assert setting.client("org-1").status(RUN).detail == "waits for org-2?[2J"


def test_an_unknown_run_is_named_as_such(setting: Setting) -> None:
    client = setting.client("org-1")
    for call in (client.status, client.proposal):
        with pytest.raises(InputError, match="there is no run with this id"):
            call("00" * 16)


def test_a_decision_is_recorded_as_it_was_signed(setting: Setting) -> None:
    approval = setting.consortium.approval(setting.store.proposals[RUN], "org-2", "refuse")
    setting.client("org-2").decide(approval)
    assert setting.store.decisions == [approval]


def test_a_decision_of_another_member_is_refused(setting: Setting) -> None:
    approval = setting.consortium.approval(setting.store.proposals[RUN], "org-2")
    with pytest.raises(PeerError, match="each member sends its own"):
        setting.client("org-1").decide(approval)
    assert setting.store.decisions == []


def test_a_decision_on_another_plan_is_refused(setting: Setting) -> None:
    other = setting.consortium.proposal(setting.consortium.plan(name="second"), run_id=RUN)
    with pytest.raises(PeerError, match="another run or plan"):
        setting.client("org-1").decide(setting.consortium.approval(other, "org-1"))
    assert setting.store.decisions == []


def test_a_decision_with_a_forged_signature_is_refused(setting: Setting) -> None:
    approval = setting.consortium.approval(setting.store.proposals[RUN], "org-1")
    with pytest.raises(PeerError, match="not signed by its key"):
        setting.client("org-1").decide(approval.model_copy(update={"signature": "00" * 64}))
    assert setting.store.decisions == []


def test_an_enrolled_organisation_outside_the_charter_sees_no_run(setting: Setting) -> None:
    client = setting.client("org-9")
    assert client.charter().charter == setting.consortium.charter()
    for call in (client.runs, lambda: client.status(RUN), lambda: client.proposal(RUN)):
        with pytest.raises(PeerError, match="enrolled but not in the charter"):
            call()


def test_a_failing_store_shows_none_of_its_internals(setting: Setting) -> None:
    def broken() -> None:
        raise RuntimeError("password=hunter2 at /srv/state.db")

    setting.store.runs = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(Exception, match="the coordinator failed at this") as caught:
        setting.client("org-1").runs()
    assert "hunter2" not in str(caught.value)


def test_a_member_tells_in_one_word_what_keeps_it_from_its_part(setting: Setting) -> None:
    setting.client("org-1").report(RUN, Trouble.ROWS_REFUSED)
    assert setting.store.troubles == [(RUN, "org-1", Trouble.ROWS_REFUSED)]


def test_a_word_that_is_not_in_the_list_is_refused_and_not_repeated(setting: Setting) -> None:
    client = setting.client("org-1")
    request = run_pb2.ReportRequest(run_id=RUN, trouble="patient 17 is missing")
    with pytest.raises(InputError, match="a trouble is one of") as refusal:
        client._call(client._stub.Report, request)
    assert "patient" not in str(refusal.value)
    assert setting.store.troubles == []


def test_a_stranger_tells_nothing_of_a_run(setting: Setting) -> None:
    with pytest.raises(PeerError):
        setting.client("org-9").report(RUN, Trouble.BROKEN)
    assert setting.store.troubles == []
