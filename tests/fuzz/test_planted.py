"""The adversary's strongest moves, against the machines as they are and with one check taken out: they must notice."""

from collections.abc import Callable

import numpy as np
import pytest

from headwater.secagg.coordinator import collection, conductor
from headwater.secagg.coordinator.blame import Verdict
from headwater.secagg.member import round as member_round
from headwater.secagg.member.player import Player
from headwater.secagg.protocol.events import COORDINATOR, MemberEvent
from headwater.secagg.protocol.families import Family
from headwater.secagg.protocol.phases import MemberPhase
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import Envelope, MessageType
from support.fuzzing.choices import Choices
from support.fuzzing.equivocation import Equivocator
from support.fuzzing.hostile import HostileWorld

Plant = Callable[[pytest.MonkeyPatch], None]
LIARS = frozenset({COORDINATOR, "org-3"})


def divided(count: int = 4, *, hasty: bool = False, half: int = 2, family: Family | None = None) -> HostileWorld:
    """A round in which a coordinator and a member try to have two cohorts opened."""
    world = HostileWorld(count, liars=LIARS, family=family, strict=family is not None)
    world.muted = {MessageType.SURVIVORS, MessageType.QUORUM}
    world.run()
    world.ask(4)
    world.run()
    world.answer_whole()
    world.run()
    without = [name for name in world.names if name != "org-0"]
    Equivocator(world).divide(world.names, world.names[:half], without, hasty=hasty)
    world.check()
    return world


@pytest.mark.parametrize("hasty", [False, True])
@pytest.mark.parametrize("half", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("count", [4, 5])
def test_no_division_opens_two_views_of_a_round(count: int, half: int, hasty: bool) -> None:
    world = divided(count, half=half, hasty=hasty)
    assert list(world.sent(MessageType.CONFIRM))


def test_a_whole_view_shown_by_the_equivocator_is_confirmed_and_opened() -> None:
    assert list(divided(half=4).sent(MessageType.REVEAL))


def _any_quorum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(member_round, "check_confirms", lambda *given: ())


def _second_confirm(patch: pytest.MonkeyPatch) -> None:
    honestly = Player._on_survivors

    def again(self: Player, envelope: Envelope, now: float) -> list[MemberEvent]:
        if self._stage.phase is MemberPhase.CONFIRMED:
            self._stage.phase = MemberPhase.UPLOADED
        return honestly(self, envelope, now)

    patch.setitem(Player._HANDLERS, MessageType.SURVIVORS, again)


def _hasty_answer(patch: pytest.MonkeyPatch) -> None:
    def answer(self: Player, envelope: Envelope, now: float) -> list[MemberEvent]:
        inquiry = messages.Inquiry.decode(envelope)
        current = self._in_round(envelope, inquiry.round)
        if current is None or current.survivors is None:
            return []
        told = current.tell(inquiry)
        return [self._signed(told)]

    patch.setitem(Player._HANDLERS, MessageType.INQUIRY, answer)


@pytest.mark.parametrize(
    ("plant", "options", "complaint"),
    [
        (_any_quorum, {}, "was opened twice"),
        (_second_confirm, {}, "two different messages"),
        (_hasty_answer, {"hasty": True}, "without having revealed"),
    ],
)
def test_a_member_that_lacks_one_check_is_noticed(
    monkeypatch: pytest.MonkeyPatch, plant: Plant, options: dict[str, bool], complaint: str
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=complaint):
        divided(**options)  # type: ignore[arg-type]


def bent_round() -> HostileWorld:
    """A round of four in which one member masks with another secret than it shares."""
    world = HostileWorld(4, liars=frozenset({"org-3"}))
    world.run()
    world.ask(4)
    world.run()
    world.bent = {"org-3": Choices(b"\1")}
    world.answer_whole()
    world.run()
    return world


def test_a_member_that_masks_otherwise_is_all_that_is_blamed() -> None:
    (abort,) = bent_round().aborts()
    assert abort.blamed or abort.disputes


def test_a_coordinator_that_opens_or_blames_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(collection, "unmask", lambda total, *given: total[4:].copy())
        with pytest.raises(AssertionError, match="is wrong"):
            bent_round()
    monkeypatch.setattr(collection, "judge", lambda uploaders, *given: Verdict(convicted=tuple(uploaders)))
    with pytest.raises(AssertionError, match="are blamed"):
        bent_round()


def test_a_machine_that_raises_another_error_or_keeps_what_it_is_sent_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(collection.Collection, "add_reveal", lambda *given: dict[str, str]().__getitem__("nothing"))
        with pytest.raises(KeyError):
            bent_round()
    honestly, kept = conductor.Conductor.receive, list[bytes]()

    def hoard(self: conductor.Conductor, envelope: Envelope, now: float) -> list[object]:
        kept.append(bytes(np.zeros(2**16)))
        self.__dict__["kept"] = kept
        return list(honestly(self, envelope, now))

    monkeypatch.setattr(conductor.Conductor, "receive", hoard)
    with pytest.raises(AssertionError, match="holds"):
        bent_round().weigh()


def test_a_member_that_forgets_its_cohorts_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def sum_over(world: HostileWorld, names: list[str]) -> None:
        world.ask(4)
        world.run()
        for name in names:
            world.answer(name, 100)
        world.run()
        world.pass_time((world.aggregator.next_deadline or world.now) - world.now)
        world.run()

    def two_cohorts() -> HostileWorld:
        world = HostileWorld(4, liars=frozenset({COORDINATOR}), family=Family("counts"))
        world.run()
        sum_over(world, world.names)
        sum_over(world, world.names[:3])
        return world

    assert len(two_cohorts().sums()) == 1
    monkeypatch.setattr(member_round, "cohort_conflict", lambda *given: None)
    with pytest.raises(AssertionError, match="confirmed"):
        two_cohorts()
