"""The ServerApp: invites every connected organisation to one run, and watches until all have answered.

It carries the run's id and one word back, nothing else: what is summed travels over the coordinator's own gRPC.
"""

import time

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from headwater.flower_bundle import INVITATION_MESSAGE_TYPE, OUTCOME_KEY, RECORD_NAME, RUN_KEY
from headwater_server.flower import RUN_CONFIG_KEY

__all__ = ["app", "invite_until_answered"]

_POLL_SECONDS = 0.5
_FIRST_ANSWER_SECONDS = 3600.0
_AGAIN_SECONDS = 5.0

app = ServerApp()


@app.main()  # type: ignore[untyped-decorator]
def main(grid: Grid, context: Context) -> None:
    """Flower's entry point; the coordinator stops the Flower run when its own run is over."""
    invite_until_answered(grid, str(context.run_config[RUN_CONFIG_KEY]))


def invite_until_answered(grid: Grid, run_id: str, clock: object = time) -> None:
    """Invite nodes as they come online, again after an error, until every invited one has said done or refused."""
    now, sleep = clock.monotonic, clock.sleep  # type: ignore[attr-defined]
    end = now() + _FIRST_ANSWER_SECONDS
    waiting: dict[str, int] = {}
    answered: set[int] = set()
    not_before: dict[int, float] = {}
    while now() < end:
        due = [
            node
            for node in grid.get_node_ids()
            if node not in answered and node not in waiting.values() and not_before.get(node, 0.0) <= now()
        ]
        if due:
            invitations = [_invitation(node, run_id) for node in due]
            # Flower gives a message its number when it is pushed; no number means that the node left meanwhile.
            numbers = list(grid.push_messages(invitations))
            waiting |= {number: node for number, node in zip(numbers, due, strict=True) if number}
        for reply in list(grid.pull_messages(list(waiting))) if waiting else []:
            node = waiting.pop(reply.metadata.reply_to_message_id, None)
            if node is None:
                continue
            if reply.has_error():
                print(f"node {node}: no answer ({reply.error.reason}); invited again", flush=True)
                not_before[node] = now() + _AGAIN_SECONDS
            else:
                print(f"node {node}: {reply.content.config_records[RECORD_NAME][OUTCOME_KEY]}", flush=True)
                answered.add(node)
        if answered and not waiting:
            return
        sleep(_POLL_SECONDS)


def _invitation(node: int, run_id: str) -> Message:
    content = RecordDict({RECORD_NAME: ConfigRecord({RUN_KEY: run_id})})
    return Message(content, dst_node_id=node, message_type=INVITATION_MESSAGE_TYPE)
