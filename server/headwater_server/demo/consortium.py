"""The demo's consortium: each step is a command that a person would type, run as a process of its own."""

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from headwater.agreement.differencing import MembershipChange
from headwater.agreement.ledger import SignedLedger
from headwater.agreement.plan import Plan
from headwater.errors import TransportError
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeKind
from headwater.schema import Schema
from headwater.schema.writing import write_csv
from headwater_server.demo.data import DemoData
from headwater_server.demo.processes import ProcessGroup, free_ports

__all__ = ["Consortium", "GateAnswer", "coordinator_folder"]

_HOST = "127.0.0.1"
_UP_SECONDS = 300.0
"""Far beyond what anything takes: a busy machine may not fail it, and who waits stops as soon as a process ends."""

_SETUP_SECONDS = 180.0
"""All organisations share one machine's cores, so each may take its time to join."""
_QUOTED = {"COLUMNS": "78"}
"""For commands whose words are shown: set off by two blanks."""

_INCONCLUSIVE = 3
_APPROVERS = 2


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the gate said.

    Attributes:
        status: of the command: 0 passed and waits for signatures, 1 failed, 3 inconclusive.
        first: what the first attempt printed.
        last: what the last one printed; the same where there was one.
        waived: gates that were waived in between.
        approvers: who answers for them.
    """

    status: int
    first: str
    last: str
    waived: int = 0
    approvers: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of the release that waits."""
        return self.last.strip().splitlines()[-1].split()[-1]


def coordinator_folder(folder: Path) -> Path:
    """The coordinator's home in the folder of a consortium."""
    return folder / "coordinator"


class Consortium:
    """A coordinator and its organisations in one folder."""

    def __init__(self, folder: Path, processes: ProcessGroup, data: DemoData) -> None:
        """Nothing runs yet."""
        self._folder = folder
        self._processes = processes
        self._data = data
        self.home = coordinator_folder(folder)
        self.members = [f"hospital-{chr(ord('a') + number)}" if number < 26 else f"hospital-{number + 1}"
                        for number in range(len(data.parts))]  # fmt: skip
        self._ports = free_ports(4)
        self.run_id = ""
        self.charter_digest = ""

    @property
    def address(self) -> str:
        """The catalogue's."""
        return f"https://{_HOST}:{self._ports[2]}"

    def home_of(self, member: str) -> Path:
        """An organisation's folder."""
        return self._folder / member

    @property
    def ca(self) -> Path:
        """The consortium's CA certificate."""
        return self.home / "keys" / "ca.crt"

    def set_up(self, sabotage: Path | None = None) -> None:
        """Make the coordinator and start it.

        Args:
            sabotage: rows that it hands out in place of samples; None for an honest one.
        """
        grpc, enrolment, https, superlink = (str(port) for port in self._ports)
        self._coordinate(
            "init", "--name", "Demo consortium", "--grpc-port", grpc, "--enrolment-port", enrolment,
            "--https-port", https, "--superlink-port", superlink,
        )  # fmt: skip
        self._open_run_pages()
        serve = ("serve", "--home", str(self.home))
        if sabotage is None:
            self._processes.start("coordinator", "headwater-coordinator", *serve)
        else:
            self._processes.start("coordinator", "headwater_server.demo.memoriser", str(sabotage), *serve)
        # The catalogue comes up last, after Flower.
        self._wait_for_port(self._ports[2])

    def enrol(self) -> None:
        """Invite every organisation and let each enrol with its token."""

        def one(member: str) -> None:
            token = self._coordinate("invite", member, "--name", member.replace("-", " ").title()).strip()
            self._organise(member, "enroll", token)

        self._each(one)

    def agree_on_charter(self) -> None:
        """Propose the charter; every organisation signs it."""
        output = self._coordinate("charter", "propose")
        self.charter_digest = output.strip().splitlines()[-1].split()[-1]
        self._each(lambda member: self._organise(member, "charter", "accept", "--digest", self.charter_digest))

    def propose_plan(
        self,
        schema: Schema,
        *,
        recipe: RecipeKind = "hybrid",
        rounds: int | None = None,
        seed: int = 0,
        budget: Budget | None = None,
        edits: Mapping[str, Mapping[str, object]] | None = None,
        change: MembershipChange = "strict",
        policy: str = "none",
    ) -> Path:
        """Draft a plan, edit it, propose it.

        Args:
            schema: confirmed.
            recipe: what is fitted.
            rounds: of training at the organisations; None leaves the recipe's own number.
            seed: public.
            budget: of privacy; None for a run without.
            edits: entries to set, by table; "recipe.update" is a table inside `recipe`.
            change: what the run does when an organisation stays away.
            policy: that judges the result; "none" for a run that is never released.
        """
        schema_file, plan_file = self._folder / "schema.toml", self._folder / "plan.toml"
        schema_file.write_text(schema.to_toml(), encoding="utf-8")
        self._coordinate(
            "plan", "draft", "--schema", str(schema_file), "--out", str(plan_file), "--recipe", recipe,
            *(() if rounds is None else ("--rounds", str(rounds))), "--seed", str(seed), *_budget_options(budget),
            "--on-membership-change", change, "--policy", policy, home=False,
        )  # fmt: skip
        self._edit(plan_file, edits or {})
        self.run_id = self._coordinate("plan", "propose", str(plan_file)).strip().splitlines()[-1]
        return plan_file

    def approve(self) -> str:
        """Every organisation approves the plan by its digest; returns the digest."""
        digest = self.plan().digest
        self._each(lambda member: self._organise(member, "plan", "approve", self.run_id, "--digest", digest))
        return digest

    def serve_rows(self) -> None:
        """Start every organisation's agent on its own rows."""
        for number, member in enumerate(self.members):
            rows = self._folder / f"{member}.csv"
            write_csv(self._data.rows_of(number), rows)
            self._processes.start(
                member, "headwater-org", "serve", "--data", str(rows), "--home", str(self.home_of(member))
            )

    def train(self) -> Mapping[str, object]:
        """Start the run, show it to its end, return what it left."""
        self._processes.check_alive()
        self._processes.run(
            "run", "headwater-coordinator", "run", "start", self.run_id, "--follow", "--home", str(self.home), show=True
        )
        from headwater_server.settings import CoordinatorHome
        from headwater_server.storage import SqlStorage

        home = CoordinatorHome(self.home)
        storage = SqlStorage(home.database_url(home.settings()))
        try:
            return dict(storage.result(self.run_id) or {})
        finally:
            storage.close()

    def release(self, name: str) -> GateAnswer:
        """Put the run before the gate; what cannot be shown on so few rows, two organisations answer for by name."""
        status, said = self._attempt(name)
        if status != _INCONCLUSIVE:
            return GateAnswer(status, said, said)
        waivers = [line.split()[-1] for line in said.splitlines() if line.startswith("waiver of ")]
        for member in self.members[:_APPROVERS]:
            for waiver in waivers:
                self._organise(member, "release", "waive", waiver)
        status, last = self._attempt(name)
        return GateAnswer(status, said, last, len(waivers), tuple(self.members[:_APPROVERS]))

    def _attempt(self, name: str) -> tuple[int, str]:
        words = "Made by the demo, on one machine."
        if self._data.schema_was_drafted:
            words += " Its schema was read from the rows: bounds and categories are those of the records."
        # The demo confirms its guesses itself, where a person would have to; its release must say so.
        outside = ("--schema-from-rows",) if self._data.schema_was_drafted else ()
        return self._processes.ask(
            "commands", "headwater-coordinator", "release", self.run_id, "--name", name, "--title", self._data.title,
            "--description", words, "--licence", "for demonstration alone", "--waive", "inconclusive", "--reason",
            "a demonstration on one machine, which cannot show what this gate asks for", "--expires", "2099-12-31",
            *outside, "--home", str(self.home), environment=_QUOTED,
        )  # fmt: skip

    def review(self, member: str, name: str) -> str:
        """An organisation fetches the release that waits and audits it by its own rows; what it is shown."""
        rows = self._folder / f"{member}.csv"
        return self._organise(member, "release", "review", name, "--data", str(rows), environment=_QUOTED)

    def sign(self, member: str, name: str, digest: str) -> str:
        """An organisation signs the release that it reviewed."""
        return self._organise(member, "release", "approve", name, "--digest", digest)

    def refuse(self, member: str, name: str, reason: str) -> str:
        """An organisation refuses the release that it reviewed."""
        return self._organise(member, "release", "refuse", name, "--reason", reason)

    def open_canaries(self) -> None:
        """Every organisation opens its canaries, unless its agent has done so by itself."""
        self._each(lambda member: self._organise(member, "release", "open-canaries"))

    def wait_until_published(self, name: str) -> None:
        """Wait until `serve` has put the release where the catalogue serves it.

        Raises:
            TransportError: it did not within five minutes.
        """
        end = time.monotonic() + _UP_SECONDS
        while not any((self.home / "releases" / name).glob("*/manifest.json")):
            self._processes.check_alive()
            if time.monotonic() > end:
                raise TransportError(f"{name} was not published within {_UP_SECONDS:.0f} s after its last signature")
            time.sleep(0.1)

    def ledgers(self) -> dict[str, SignedLedger]:
        """What each organisation's ledger holds, as it exports it."""
        return {
            member: SignedLedger.from_bytes(self._organise(member, "ledger", "export").strip().encode())
            for member in self.members
        }

    def download(self, name: str, out: Path, home: Path) -> str:
        """As a researcher: know the catalogue by CA and charter digest, download, verify; returns what verify said."""
        environment = {"HEADWATER_HOME": str(home), **_QUOTED}

        def research(*arguments: str) -> str:
            return self._processes.run("researcher", "headwater", *arguments, environment=environment)

        research("catalogue", "add", self.address, "--ca", str(self.ca), "--charter", self.charter_digest)
        research("download", name, "--out", str(out))
        return research("verify", str(out))

    def plan(self) -> Plan:
        """The plan that was proposed."""
        return Plan.from_toml((self._folder / "plan.toml").read_text(encoding="utf-8"))

    def _open_run_pages(self) -> None:
        # Everything here is for show, and loopback is all that listens: whoever looks around sees runs without a token.
        file = self.home / "settings.toml"
        settings = tomlkit.parse(file.read_text(encoding="utf-8"))
        settings["catalogue_open_runs"] = True
        file.write_text(tomlkit.dumps(settings), encoding="utf-8")

    def _edit(self, plan_file: Path, edits: Mapping[str, Mapping[str, object]]) -> None:
        document = tomlkit.parse(plan_file.read_text(encoding="utf-8"))
        # As many synthetic rows as the training part has; the plan says so before anybody approves. Under a budget that
        # would publish a count without noise: the plan's 0 then takes the number that the noisy counts estimate.
        if document["privacy"] == "none":
            document["rows"] = self._data.train.num_rows
        terms: Any = document["aggregation"]
        terms["setup_seconds"] = _SETUP_SECONDS
        for path, entries in edits.items():
            table: Any = document
            for part in path.split("."):
                table = table[part]
            for key, value in entries.items():
                table[key] = value
        plan_file.write_text(tomlkit.dumps(document), encoding="utf-8")

    def _each(self, step: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(step, self.members))

    def _coordinate(self, *arguments: str, home: bool = True) -> str:
        place = ("--home", str(self.home)) if home else ()
        return self._processes.run("commands", "headwater-coordinator", *arguments, *place)

    def _organise(self, member: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        return self._processes.run(
            f"{member}-commands", "headwater-org", *arguments, "--home", str(self.home_of(member)),
            environment=environment,
        )  # fmt: skip

    def _wait_for_port(self, port: int) -> None:
        end = time.monotonic() + _UP_SECONDS
        while time.monotonic() < end:
            self._processes.check_alive()
            with socket.socket() as probe:
                if probe.connect_ex((_HOST, port)) == 0:
                    return
            time.sleep(0.1)
        raise TransportError(f"the coordinator did not come up within {_UP_SECONDS:.0f} s")


def _budget_options(budget: Budget | None) -> tuple[str, ...]:
    if budget is None:
        return ()
    return (
        "--epsilon", str(budget.epsilon), "--delta", str(budget.delta), "--most-rows", str(budget.most_rows),
        "--mode", budget.mode,
    )  # fmt: skip
