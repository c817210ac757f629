"""The only module that touches Flower's private interfaces: the Runtime API of a SuperNode, version 1.41.

Flower changes these between minor versions, hence the check at start-up and the contract test on the names used here.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Self

import httpx
from flwr.app import Context, Error, Message
from flwr.common.constant import ErrorCode, SubStatus
from flwr.proto.runtime_pb2 import AcquireTaskRequest, SendTaskHeartbeatRequest
from flwr.supercore import telemetry
from flwr.supercore.heartbeat import HeartbeatSender
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

from headwater.errors import InputError, TransportError

__all__ = ["SUPPORTED_FLOWER", "AssignedTask", "NodeRuntime", "check_flower_version"]

SUPPORTED_FLOWER = "1.41"
# The environment does it in time unless a program imported flwr before us; Flower reads this name at every report.
telemetry.FLWR_TELEMETRY_ENABLED = "0"

_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_TASK_TYPE = "flwr-clientapp"


def check_flower_version() -> None:
    """Refuse to start beside a Flower whose private interfaces were not tried.

    Raises:
        InputError: Flower is missing, or of another version.
    """
    try:
        installed = version("flwr")
    except PackageNotFoundError as error:
        raise InputError("Flower is not installed; install headwater[org]") from error
    if installed.rpartition(".")[0] != SUPPORTED_FLOWER:
        raise InputError(
            f"Flower {installed} is installed, {SUPPORTED_FLOWER}.x is needed; install 'flwr>={SUPPORTED_FLOWER},<1.42'"
        )


class AssignedTask:
    """One task that the SuperNode gave to this process, alive until it is answered or closed.

    Attributes:
        bundle: the Flower bundle of the task's run, as bytes; never unpacked here.
        message: the message for the ClientApp.
        context: its context.
        stopped: set when the SuperNode says that the task is over, for example after `flwr stop`.
    """

    def __init__(self, client: RuntimeHttpClient) -> None:
        """Start the task's heartbeat and fetch its input."""
        self._client = client
        self.stopped = threading.Event()
        self._heartbeat = HeartbeatSender(self._beat)
        self._heartbeat.start()
        try:
            with _as_transport_error("fetch its task from"):
                self.message, self.context, _, bundle = pull_task_input(client)
        except BaseException:
            self.close()
            raise
        self.bundle: bytes = bundle.content

    def _beat(self) -> bool:
        # Flower's own heartbeat raises SIGINT in this process when a task ends; here that would end the whole agent.
        try:
            answer = self._client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
        except httpx.HTTPStatusError as error:
            if error.response.is_client_error:
                self.stopped.set()
                return True
            return False
        except httpx.TransportError:
            return False
        if not answer.success:
            self.stopped.set()
        return True

    def answer(self, call: Callable[[Message, Context], Message]) -> None:
        """Send what a ClientApp replies to the message.

        Raises:
            TransportError: the SuperNode is gone or takes no reply.
        """
        reply = call(self.message, self.context)
        self._finish(reply, SubStatus.COMPLETED, "")

    def refuse_bundle(self, reason: str) -> None:
        """Reply that the bundle was refused.

        Raises:
            TransportError: as `answer`.
        """
        self._fail(ErrorCode.INVALID_FAB, reason)

    def report_failure(self, reason: str) -> None:
        """Reply that the ClientApp failed; `reason` goes to the coordinator and must hold nothing private.

        Raises:
            TransportError: as `answer`.
        """
        self._fail(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason)

    def _fail(self, code: int, reason: str) -> None:
        reply = Message(Error(code=code, reason=reason), reply_to=self.message)
        self._finish(reply, SubStatus.FAILED, reason)

    def _finish(self, reply: Message, sub_status: str, details: str) -> None:
        with _as_transport_error("give its reply to"):
            push_message(self._client, reply, self.context)
            push_task_output(client=self._client, context=self.context, sub_status=sub_status, details=details)

    def close(self) -> None:
        """Stop the heartbeat and drop the connection."""
        if self._heartbeat.is_running:
            self._heartbeat.stop()
        self._client.close()

    def __enter__(self) -> Self:
        """The task itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class NodeRuntime:
    """The place of `flower-superexec` beside one SuperNode started with `--isolation process`."""

    def __init__(self, address: str, secret: bytes) -> None:
        """Prepare to talk to a SuperNode.

        Args:
            address: host:port of the SuperNode's Runtime API on loopback.
            secret: bytes of the file given to it as `--superexec-auth-secret-file`.
        """
        self._address = address
        self._acquire = self._connect(
            RuntimeVersionHttpInterceptor(component_name="SuperExec"),
            SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=frozenset({_ACQUIRE})),
        )

    def _connect(self, *interceptors: object) -> RuntimeHttpClient:
        # No retry invoker of Flower's: it waits without end and raises SIGINT in this process on a 401.
        return RuntimeHttpClient.from_server_address(
            server_address=self._address, insecure=True, root_certificates=None, interceptors=list(interceptors)
        )

    def acquire(self) -> AssignedTask | None:
        """Take the oldest waiting task, or None when there is none.

        Raises:
            TransportError: the SuperNode cannot be reached or refuses this process.
        """
        with _as_transport_error("ask for tasks at"):
            answer = self._acquire.AcquireTask(AcquireTaskRequest(supported_task_types=[_TASK_TYPE]))
        if not (answer.HasField("task") and answer.token):
            return None
        return AssignedTask(
            self._connect(
                RuntimeVersionHttpInterceptor(component_name=_TASK_TYPE), RuntimeTokenHttpInterceptor(answer.token)
            )
        )

    def close(self) -> None:
        """Drop the connection."""
        self._acquire.close()


@contextlib.contextmanager
def _as_transport_error(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Flower raises its own, httpx's and bare exceptions here; all mean that this exchange did not happen.
        raise TransportError(
            f"the agent could not {what} its SuperNode ({type(error).__name__}); it tries again by itself"
        ) from error
