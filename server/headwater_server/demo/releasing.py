"""The demo's release: the gate, the organisations' own audits, their signatures, publication."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console

from headwater.errors import ReleaseRefused
from headwater_server.demo.consortium import Consortium
from headwater_server.demo.telling import gate_in_short, own_audit_in_short, print_quoted

__all__ = ["release"]

Step = Callable[[str, str], AbstractContextManager[None]]


def release(console: Console, step: Step, consortium: Consortium, name: str, *, sabotage: str = "") -> None:
    """Take the run's candidate through the gate and past every organisation to the catalogue.

    Args:
        console: where to write.
        step: shows a step of a phase with its time.
        consortium: whose run is over.
        name: of the dataset.
        sabotage: what was done to the candidate, told when the gate refuses.

    Raises:
        ReleaseRefused: the gate did not let it pass, or an organisation's own audit; what was found is shown before.
        HeadwaterError: an organisation could not sign.
    """
    if consortium.plan().canaries and consortium.plan().privacy != "none":
        with step("release", "every organisation opens the secret of its canaries, now that the candidate is fixed"):
            consortium.open_canaries()
    with step("release", "the gate of policy demo judges the rows that came of the run"):
        answer = consortium.release(name)
    if answer.status != 0:
        print_quoted(console, answer.last)
        told = f" The coordinator was made to hand out copied rows (--sabotage {sabotage})." if sabotage else ""
        raise ReleaseRefused(
            f"the gate refuses to release {name}: what it found stands above, nothing was published.{told}"
        )
    print_quoted(console, gate_in_short(answer.last))
    if answer.waived:
        console.print(
            f"{answer.waived} gates could not be shown of this table, each for a reason that the card names; "
            f"{' and '.join(answer.approvers)} answer for them by name (scripted here), and the card says so. The "
            "attempt before, which asked for that, is on record too.",
            soft_wrap=True,
        )
    for number, member in enumerate(consortium.members):
        with step("review", f"{member} fetches the release, verifies it and attacks it with its own rows"):
            said = consortium.review(member, name)
        short = own_audit_in_short(said)
        fails = "Your own audit FAILS" in short
        if number == 0 or fails:
            print_quoted(console, short)
        if fails:
            with step("review", f"{member} refuses (scripted here; a person reads that page)"):
                consortium.refuse(member, name, "our own audit fails")
            raise ReleaseRefused(f"{member} refuses {name}: its own audit fails, and nothing was published.")
        with step("review", f"{member} signs (scripted here; a person reads that page)"):
            consortium.sign(member, name, answer.digest)
    with step("release", "the last signature that the charter asks for publishes it"):
        consortium.wait_until_published(name)
