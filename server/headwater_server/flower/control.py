"""The coordinator's commands to its SuperLink: the only server module that touches Flower's private interfaces, 1.41.

Flower's own command line does the same in a process of several seconds for each command; its modules move between
minor versions, hence the check at start-up and the contract test on the names used here.
"""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from flwr.cli.cli_client_interceptor import CliClientHttpInterceptor
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab

from headwater.errors import InputError, TransportError
from headwater.flower_bundle import build_bundle, bundle_sha256
from headwater_server.flower import RUN_CONFIG_KEY
from headwater_server.flower.supervisor import FlowerSettings

__all__ = ["SUPPORTED_FLOWER", "FlowerControl", "check_flower_version"]

SUPPORTED_FLOWER = "1.41"
_GONE = "unregistered"
_FINISHED = "finished"

_Q = TypeVar("_Q")
_T = TypeVar("_T")


def check_flower_version() -> None:
    """Refuse to start with a Flower whose private interfaces were not tried.

    Raises:
        InputError: Flower is missing, or of another version.
    """
    try:
        installed = version("flwr")
    except PackageNotFoundError as error:
        raise InputError("Flower is not installed; install headwater[coordinator]") from error
    if installed.rpartition(".")[0] != SUPPORTED_FLOWER:
        raise InputError(
            f"Flower {installed} is installed, {SUPPORTED_FLOWER}.x is needed; install 'flwr>={SUPPORTED_FLOWER},<1.42'"
        )


class FlowerControl:
    """Which nodes may connect, and which run they are invited to; every call is one short HTTPS request."""

    def __init__(self, settings: FlowerSettings) -> None:
        """Use the SuperLink of these settings; nothing is sent yet.

        Raises:
            InputError: an untried version of Flower is installed.
        """
        check_flower_version()
        self._client = ControlHttpClient.from_server_address(
            server_address=settings.address,
            insecure=False,
            root_certificates=settings.ca_certificate.read_bytes(),
            interceptors=[CliClientHttpInterceptor()],
        )

    async def close(self) -> None:
        """Drop the connection."""
        await asyncio.to_thread(self._client.close)

    async def admit_nodes(self, public_keys: Mapping[str, str]) -> None:
        """Let exactly these nodes in: the missing are registered, all others are refused from now on.

        Args:
            public_keys: OpenSSH lines by member id.

        Raises:
            InputError: a line is no key that Flower takes.
            TransportError: Flower did not answer, or refused.
        """
        wanted = {_pem(line, member): member for member, line in public_keys.items()}
        answer = await self._ask("list its nodes", self._client.ListNodes, ListNodesRequest())
        known = {bytes(node.public_key): int(node.node_id) for node in answer.nodes_info if node.status != _GONE}
        for key in known.keys() - wanted.keys():
            await self._ask("refuse a node", self._client.UnregisterNode, UnregisterNodeRequest(node_id=known[key]))
        for key in sorted(wanted.keys() - known.keys()):
            request = RegisterNodeRequest(public_key=key, name=wanted[key])
            await self._ask(f"register the node of {wanted[key]!r}", self._client.RegisterNode, request)

    async def start_run(self, run_id: str) -> int:
        """Start the stub bundle for a run and return Flower's number of it.

        Raises:
            TransportError: Flower did not start it.
        """
        # The bytes whose digest the plan records, not what Flower's builder would make of the folder today.
        request = StartRunRequest(
            fab=fab_to_proto(Fab(bundle_sha256(), build_bundle(), {})),
            override_config=user_config_to_proto({RUN_CONFIG_KEY: run_id}),
        )
        answer = await self._ask(f"start run {run_id}", self._client.StartRun, request)
        if not answer.HasField("run_id"):
            raise TransportError(f"Flower did not start run {run_id} and gave no reason; see flower-superlink.log")
        return int(answer.run_id)

    async def run_is_over(self, flower_run: int) -> bool:
        """Whether a run has ended, however it did; one that the SuperLink no longer knows is over.

        Raises:
            TransportError: Flower did not answer.
        """
        request = ListRunsRequest(run_id=flower_run)
        answer = await self._ask(f"look at its run {flower_run}", self._client.ListRuns, request)
        run = answer.run_dict.get(flower_run)
        return run is None or run.status.status == _FINISHED

    async def stop_run(self, flower_run: int) -> None:
        """Stop a run.

        Raises:
            TransportError: Flower did not answer, or the run is over already.
        """
        request = StopRunRequest(run_id=flower_run)
        await self._ask(f"stop its run {flower_run}", self._client.StopRun, request)

    async def _ask(self, what: str, call: Callable[[_Q], _T], request: _Q) -> _T:
        try:
            return await asyncio.to_thread(call, request)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise TransportError(f"Flower did not {what} (HTTP {status}); flower-superlink.log says why") from error
        except (httpx.HTTPError, ValueError) as error:
            raise TransportError(
                f"Flower's SuperLink did not answer to {what} ({type(error).__name__}); it is started again by itself"
            ) from error


def _pem(line: str, member: str) -> bytes:
    """A node's key in the form in which the SuperLink keeps it."""
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"the Flower key of {member!r} is not an OpenSSH line; it must enrol again") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise InputError(f"the Flower key of {member!r} is not on a NIST curve; it must enrol again")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
