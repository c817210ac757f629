"""Flower's SecAgg+ without a network: its own workflow in one process, its own mod in others, counted as ours are.

Full graph, reconstruction threshold 0.67, Flower's defaults elsewhere. Needs flwr 1.41, whose parts are driven as its
grid would drive them: each message's content is handed over as a transport would, and what that costs is not counted.
"""

import importlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.typing import Code, FitRes, Status
from flwr.compat.common import recorddict_compat as compat
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.history import History
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from harness.memory import Memory
from secagg.consortium import Consortium
from secagg.process import Clock, Frame, Header, receive_frame, send_frame, serve

__all__ = ["CLIP", "FlowerClient", "client_process", "server_process"]

CLIP = 8.0
"""Flower's default clipping range, for each value."""

THRESHOLD = 0.67
_RECORD = "secaggplus_configs"
_FIRST_NODE = 10**9


def _prepare() -> None:
    logging.getLogger("flwr").setLevel(logging.ERROR)
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1


def pack(content: RecordDict) -> Frame:
    """A message's content as a frame, its large values beside the header."""
    parts: list[bytes] = []

    def put(value: Any) -> Any:
        if isinstance(value, bytes):
            parts.append(value)
            return {"part": len(parts) - 1}
        return [put(item) for item in value] if isinstance(value, list) else value

    header = {
        "configs": {name: {k: put(v) for k, v in record.items()} for name, record in content.config_records.items()},
        "metrics": {name: dict(record.items()) for name, record in content.metric_records.items()},
        "arrays": {
            name: [[key, array.dtype, list(array.shape), array.stype, put(array.data)] for key, array in record.items()]
            for name, record in content.array_records.items()
        },
    }
    return header, parts


def unpack(header: Header, parts: Sequence[bytes]) -> RecordDict:
    """The content that `pack` took apart."""

    def get(value: Any) -> Any:
        if isinstance(value, dict):
            return parts[value["part"]]
        return [get(item) for item in value] if isinstance(value, list) else value

    content = RecordDict()
    for name, record in header["configs"].items():
        content.config_records[name] = ConfigRecord({key: get(value) for key, value in record.items()})
    for name, record in header["metrics"].items():
        content.metric_records[name] = MetricRecord(record)
    for name, rows in header["arrays"].items():
        arrays = {key: Array(dtype, tuple(shape), stype, get(data)) for key, dtype, shape, stype, data in rows}
        content.array_records[name] = ArrayRecord(arrays)
    return content


def _bytes_in(content: RecordDict) -> int:
    values = (value for record in content.config_records.values() for value in record.values())
    items: Iterable[Any] = (item for value in values for item in (value if isinstance(value, list) else [value]))
    return sum(len(item) for item in items if isinstance(item, bytes))


class FlowerClient:
    """One client behind Flower's mod.

    A stand-in puts no masks on its vector and hands out the same shares in each round: what the server receives has
    the form and size of the real thing and costs it the same, but the sum is worthless. Stand-ins spare many minutes
    of a large measurement in which one client is measured.
    """

    def __init__(self, consortium: Consortium, place: int, *, stand_in: bool = False) -> None:
        """Be the client of this place."""
        _prepare()
        self._memory, self._clock, self._bytes_up = Memory(), Clock(), 0
        self._consortium, self._place, self._node, self._stand_in = consortium, place, _FIRST_NODE + place, stand_in
        self._context = Context(run_id=1, node_id=self._node, node_config={}, state=RecordDict(), run_config={})

    def answers(self, header: Header, parts: Sequence[bytes]) -> Iterator[Frame]:
        """One message of the workflow, answered."""
        if header["do"] == "begin":
            self._clock.reset()
            self._memory.reset()
            self._bytes_up = 0
            return
        if header["do"] == "report":
            figures = {"seconds": self._clock.seconds, "bytes_up": self._bytes_up}
            yield figures | {"peak_bytes": self._memory.peak_bytes}, ()
            return
        message = Message(unpack(header["content"], parts), dst_node_id=self._node, message_type="train")
        message.metadata.__dict__.update({"_message_id": "x", "_src_node_id": 1, "_run_id": 1})
        vector = self._consortium.vector(self._place) if "fitins" in str(header["content"]["arrays"].keys()) else None

        def train(inner: Message, context: Context) -> Message:
            result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([vector]), 100, {})
            return Message(compat.fitres_to_recorddict(result, False), reply_to=inner)

        with self._masks(), self._clock:
            reply = secaggplus_mod(message, self._context, train)
        self._bytes_up += _bytes_in(reply.content)
        yield pack(reply.content)

    def _masks(self) -> AbstractContextManager[Any]:
        if not self._stand_in:
            return nullcontext()
        # The package hides the module behind the function of the same name.
        module = importlib.import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")
        masks = mock.patch.object(module, "pseudo_rand_gen", _no_mask)
        shares = mock.patch.object(module, "create_shares", _same_shares(module.create_shares))
        stack = ExitStack()
        stack.enter_context(masks)
        stack.enter_context(shares)
        return stack


_SHARES: dict[tuple[int, int], list[bytes]] = {}


def _same_shares(create: Callable[[bytes, int, int], list[bytes]]) -> Callable[[bytes, int, int], list[bytes]]:
    def shares(secret: bytes, threshold: int, count: int) -> list[bytes]:
        if (threshold, count) not in _SHARES:
            _SHARES[threshold, count] = create(secret, threshold, count)
        return _SHARES[threshold, count]

    return shares


def _no_mask(seed: bytes, modulus: int, dimensions: list[tuple[int, ...]]) -> list[Any]:
    return [np.zeros(1, np.int64) for _ in dimensions]


class _Node(ClientProxy):  # type: ignore[misc]
    """A registered client; its calls go over the grid, never over this."""

    def __init__(self, node_id: int) -> None:
        super().__init__(str(node_id))
        self.node_id = node_id

    def _unused(self, *arguments: Any, **named: Any) -> None:
        return None

    get_properties = get_parameters = fit = evaluate = reconnect = _unused


class _Grid:
    """Hands every message to the process that plays the clients; that time is not counted."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection, self._clock = connection, clock

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        self._clock.__exit__(None, None, None)
        replies = []
        for message in messages:
            header, parts = pack(message.content)
            node = message.metadata.dst_node_id
            send_frame(self._connection, {"to": node - _FIRST_NODE, "content": header}, parts)
            answer, large = receive_frame(self._connection)
            if answer.get("silent"):
                continue
            reply = Message(unpack(answer, large), reply_to=message)
            reply.metadata.__dict__["_src_node_id"] = node
            replies.append(reply)
        self._clock.__enter__()
        return replies


def _one_round(consortium: Consortium, grid: _Grid, clock: Clock) -> NDArray[np.float32]:
    count, manager = consortium.count, SimpleClientManager()
    for place in range(count):
        manager.register(_Node(_FIRST_NODE + place))
    context = LegacyContext(
        context=Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={}),
        strategy=FedAvg(fraction_fit=1.0, min_fit_clients=count, min_available_clients=count),
        client_manager=manager,
    )
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    start = ndarrays_to_parameters([np.zeros(consortium.length, np.float32)])
    context.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(start, True)
    context.history = History()
    with clock:
        SecAggPlusWorkflow(num_shares=1.0, reconstruction_threshold=THRESHOLD)(grid, context)
    record = context.state.array_records[MAIN_PARAMS_RECORD]
    mean: NDArray[np.float32] = parameters_to_ndarrays(compat.arrayrecord_to_parameters(record, True))[0]
    return mean


def server_process(connection: Connection, settings: str) -> None:
    """The server as a process: it asks for the clients' answers over the same pipe."""
    _prepare()
    memory, clock, consortium = Memory(), Clock(), Consortium(**json.loads(settings))
    while receive_frame(connection)[0]["do"] != "end":
        memory.reset()
        clock.reset()
        mean = _one_round(consortium, _Grid(connection, clock), clock)
        figures = {"mean": True, "seconds": clock.seconds, "peak_bytes": memory.peak_bytes}
        send_frame(connection, figures, [np.asarray(mean, np.float64).tobytes()])


def client_process(connection: Connection, settings: str) -> None:
    """The client at place 0 as a process."""
    serve(connection, FlowerClient(Consortium(**json.loads(settings)), 0))
