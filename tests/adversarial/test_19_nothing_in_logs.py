"""Protocol 7, item 19: nothing of one organisation's values in any log, metric or error."""

from support.network import World


def test_nothing_shown_of_a_machine_holds_a_secret() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    participant = world.participants["org-0"]
    session, current = participant._session, participant._round
    assert session is not None
    assert current is not None
    assert current.self_seed is not None
    shown = repr([session.deal, current, participant, world.aggregator, world.member_events["org-0"]])
    assert repr(current.self_seed.value)[2:-1] not in shown
    assert "TASK" not in shown
    assert str(world.member_events["org-0"]).count("data=") == 0
