"""The ServerApp: invites every connected organisation to one run, again whenever one's part ends before the run does.

It carries the run's id and one word back, nothing else: what is summed travels over the coordinator's own gRPC. Who may
take part is not decided here: each organisation looks at its own approval, and the coordinator's gRPC at the run's.
"""

import time
from collections.abc import Callable

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from headwater.flower_bundle import INVITATION_MESSAGE_TYPE, OUTCOME_KEY, OUTCOME_REFUSED, RECORD_NAME, RUN_KEY
from headwater_server.flower import RUN_CONFIG_KEY

__all__ = ["Inviter", "app"]

_POLL_SECONDS = 0.5
# After a part that ended, for instance because an organisation's process was restarted.
_AGAIN_SECONDS = 5.0
# After a refusal: a person mends a policy, not a program.
_AFTER_REFUSAL_SECONDS = 30.0

app = ServerApp()


@app.main()  # type: ignore[untyped-decorator]
def main(grid: Grid, context: Context) -> None:
    """Flower's entry point; the coordinator stops the Flower run, and so this process, when its own run is over."""
    inviter = Inviter(grid, str(context.run_config[RUN_CONFIG_KEY]))
    while True:
        inviter.step(time.monotonic())
        time.sleep(_POLL_SECONDS)


class Inviter:
    """Keeps one invitation open at each node that is online."""

    def __init__(self, grid: Grid, run_id: str, report: Callable[[str], None] | None = None) -> None:
        """Invite nobody yet.

        Args:
            grid: Flower's connection to the nodes.
            run_id: what they are invited to.
            report: takes one line for each answer; standard output, which `flwr log` shows, by default.
        """
        self._grid = grid
        self._run_id = run_id
        self._report = report or _print
        self._open: dict[str, int] = {}
        self._not_before: dict[int, float] = {}

    def step(self, now: float) -> None:
        """Invite who is due, and take the answers that are there.

        Args:
            now: seconds on a clock that only goes forward.
        """
        invited = set(self._open.values())
        due = [
            node for node in self._grid.get_node_ids() if node not in invited and self._not_before.get(node, now) <= now
        ]
        if due:
            numbers = self._grid.push_messages([_invitation(node, self._run_id) for node in due])
            # A message without a number was not taken: the node left in this moment.
            self._open |= {number: node for number, node in zip(numbers, due, strict=False) if number}
        if not self._open:
            return
        for answer in self._grid.pull_messages(list(self._open)):
            node = self._open.pop(answer.metadata.reply_to_message_id, None)
            if node is None:
                continue
            outcome = _outcome(answer)
            self._report(f"node {node}: {outcome}")
            self._not_before[node] = now + (_AFTER_REFUSAL_SECONDS if outcome == OUTCOME_REFUSED else _AGAIN_SECONDS)


def _invitation(node: int, run_id: str) -> Message:
    content = RecordDict({RECORD_NAME: ConfigRecord({RUN_KEY: run_id})})
    return Message(content, dst_node_id=node, message_type=INVITATION_MESSAGE_TYPE)


def _outcome(answer: Message) -> str:
    if answer.has_error():
        return f"no answer ({answer.error.reason})"
    record = answer.content.config_records.get(RECORD_NAME, {})
    return str(record.get(OUTCOME_KEY, "an answer without an outcome"))


def _print(line: str) -> None:
    print(line, flush=True)
