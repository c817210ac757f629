"""Drive the SuperLink by Flower's own command line: register nodes, start and stop runs."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from headwater.errors import TransportError
from headwater.flower_bundle import stub_folder
from headwater_server.flower import RUN_CONFIG_KEY
from headwater_server.flower.supervisor import FlowerSettings

__all__ = ["FlowerControl"]

_SECONDS = 60.0


class FlowerControl:
    """What the coordinator asks of Flower; the `flwr` program is its stable interface."""

    def __init__(self, settings: FlowerSettings) -> None:
        """Use the SuperLink of these settings."""
        self._settings = settings

    async def register_nodes(self, public_keys: dict[str, str]) -> None:
        """Let the members' nodes in; those that are in already stay.

        Args:
            public_keys: OpenSSH lines by member id.

        Raises:
            TransportError: Flower refused.
        """
        for member, line in sorted(public_keys.items()):
            with tempfile.TemporaryDirectory(dir=self._settings.folder) as folder:
                key = Path(folder) / f"{member}.pub"
                key.write_text(line.strip() + "\n", encoding="ascii")
                output = await self._flwr("supernode", "register", str(key), "hw", "--name", member, check=False)
            if "already" not in output and not _success(output):
                raise TransportError(f"Flower did not register the node of {member!r}: {_last_line(output)}")

    async def start_run(self, run_id: str) -> str:
        """Start the stub bundle for a run and return Flower's number of it.

        Raises:
            TransportError: Flower did not start it.
        """
        output = await self._flwr(
            "run", str(stub_folder()), "hw", "--run-config", f'{RUN_CONFIG_KEY}="{run_id}"', "--format", "json"
        )
        answer = _json(output)
        if not answer.get("success") or "run-id" not in answer:
            raise TransportError(f"Flower did not start run {run_id}: {_last_line(output)}")
        return str(answer["run-id"])

    async def stop_run(self, flower_run: str) -> None:
        """Stop a run; one that is over already is no error."""
        await self._flwr("stop", flower_run, "hw", "--format", "json", check=False)

    async def online_nodes(self) -> int:
        """How many nodes are online.

        Raises:
            TransportError: Flower did not answer.
        """
        answer = _json(await self._flwr("supernode", "list", "hw", "--format", "json"))
        return sum(node.get("status") == "online" for node in answer.get("nodes", []))

    async def _flwr(self, *arguments: str, check: bool = True) -> str:
        program = Path(self._settings.environment["PATH"].split(":")[0]) / "flwr"
        child = await asyncio.create_subprocess_exec(
            str(program), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=self._settings.environment,
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(child.communicate(), _SECONDS)
        except TimeoutError as error:
            child.kill()
            await child.wait()
            raise TransportError(f"`flwr {arguments[0]}` did not answer within {_SECONDS:.0f} s") from error
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        text = output.decode(errors="replace")
        if check and child.returncode != 0:
            raise TransportError(f"`flwr {arguments[0]}` failed: {_last_line(text)}")
        return text


def _json(output: str) -> dict[str, Any]:
    # Flower may print a line of its own before the document.
    start = output.find("{")
    try:
        document = json.loads(output[start:]) if start >= 0 else {}
    except ValueError:
        document = {}
    return document if isinstance(document, dict) else {}


def _success(output: str) -> bool:
    return "successfully" in output.lower() or bool(_json(output).get("success"))


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
