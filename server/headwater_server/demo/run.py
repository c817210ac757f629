"""The demo from its first step to its result: what a consortium does, shown and measured."""

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Literal

import pyarrow as pa
import pyarrow.parquet
from rich.console import Console

from headwater.audit.canaries.secret_space import SecretSpace
from headwater.contribution.splits import split_rows
from headwater.errors import InputError, ReleaseRefused
from headwater.evaluation.usefulness import Usefulness
from headwater.privacy.budget import Budget
from headwater.privacy.words import SCHEMA_FROM_ROWS
from headwater.recipe.defaults import recipe_of
from headwater.recipe.settings import PRIVATE_KINDS, RecipeKind, SplitShares
from headwater.schema import Schema
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.audit_option import audit_in_one_line
from headwater_server.demo.consortium import Consortium, coordinator_folder
from headwater_server.demo.data import DemoData, prepare
from headwater_server.demo.looking_around import what_to_try
from headwater_server.demo.processes import ProcessGroup
from headwater_server.demo.releasing import release
from headwater_server.demo.spent import SpentByAll, compare, keep_ledgers, stated_in
from headwater_server.demo.telling import conclude, introduce, print_quoted
from headwater_server.lock import is_serving
from headwater_server.output_folder import claim_folder
from headwater_server.settings import CoordinatorHome

__all__ = ["DemoRequest", "run_demo"]

_AT_ONCE = 2
_FEW_ROUNDS: Mapping[RecipeKind, int] = {"hybrid": 4}
"""What takes the place of a recipe's own number of rounds: a demo is to be over soon."""

_FEW_NOISY: Mapping[RecipeKind, int] = {"hybrid": 30}
"""The same under a budget, where a round is one step of a critic."""

_TRAINING: Mapping[RecipeKind, str] = {
    "hybrid": "the run: secure sums over gRPC, a mixture that climbs with them, local adversarial training",
    "marginals": "the run: secure sums over gRPC, fit",
    "adversarial": "the run: secure sums over gRPC, local adversarial training",
    "mixture": "the run: secure sums over gRPC, a mixture that climbs with them",
}
_POLICY = "demo"
_CANARIES = 32
"""Enough for exposure; a bound on ε would need over a thousand, which so few rows cannot carry."""

# Under a budget what is drawn from the generator costs nothing more, so readers get it too.
_RELEASED: Mapping[str, Mapping[str, object]] = {"release": {"generator": "released"}}
_SPLITS: Mapping[str, Mapping[str, object]] = {"splits": {"train": 0.65, "validation": 0.05, "audit": 0.3}}
"""More rows are kept for the audit than by default: of a small table a twentieth would show no copier."""

_NOISY = "the run: secure sums over gRPC, to which every organisation adds noise; fit"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What `headwater-coordinator demo` was asked for."""

    data: Path | None
    target: str | None
    schema: Path | None
    organisations: int
    recipe: RecipeKind | None
    rounds: int | None
    partition: str
    seed: int
    out: Path
    keep: bool
    budget: Budget | None = None
    sabotage: Literal["", "memoriser"] = ""


class _Steps:
    """Shows each step with the time that it took, and adds the times up by phase."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console

    @contextlib.contextmanager
    def step(self, phase: str, text: str, *, quiet: bool = False) -> Iterator[None]:
        started = time.monotonic()
        waiting = contextlib.nullcontext() if quiet else self._console.status(text)
        if quiet:
            self._console.print(f"[bold]{text}[/bold]")
        with waiting:
            yield
        taken = time.monotonic() - started
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + taken, 2)
        self._console.print(f"[green]✓[/green] {text} [dim]{taken:.1f} s[/dim]", highlight=False)


def run_demo(request: DemoRequest) -> None:
    """Run the whole demo; every process is gone when it returns or fails, and so are its files but those to keep.

    Raises:
        InputError: fewer than three organisations, an unusable table, a folder that is not the demo's, or one in which
            another demo is up.
        HeadwaterError: a step failed; the message is that step's own.
    """
    console = Console()
    steps = _Steps(console)
    with steps.step("data", "read the table, hold out 20 % to judge by, share the rest out"):
        data = prepare(
            request.data, request.target, request.schema, request.organisations, request.partition, request.budget
        )
    recipe = request.recipe or ("hybrid" if request.budget is None else PRIVATE_KINDS[0])
    few = _FEW_ROUNDS if request.budget is None else _FEW_NOISY
    rounds = few.get(recipe) if request.rounds is None else request.rounds
    # A recipe that has no such rounds, or no private form, is refused before anything starts.
    recipe_of(data.schema, recipe, rounds, private=request.budget is not None)
    folder = request.out / "consortium"
    _require_ended(request.out, folder)
    claim_folder(request.out, "demo")
    introduce(console, data)
    try:
        with _terminated_like_interrupted(), ProcessGroup(folder / "logs", {"OMP_NUM_THREADS": "1"}) as processes:
            consortium = Consortium(folder, processes, data)
            asked = replace(request, rounds=rounds)
            result, privacy = _stages(console, steps, asked, recipe, data, consortium, processes)
            (request.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            conclude(console, request.out, result, privacy, keep=request.keep)
            if request.keep:
                _keep(console, what_to_try(consortium, _dataset_name(data.name), request.out / "researcher"), processes)
    finally:
        if not request.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _require_ended(out: Path, folder: Path) -> None:
    """Refuse to take the files away from under a demo that --keep left up."""
    if is_serving(CoordinatorHome(coordinator_folder(folder))):
        raise InputError(f"a demo is up in {out}; end that one first (Ctrl-C there), or say --out ANOTHER")


def _stages(
    console: Console,
    steps: _Steps,
    request: DemoRequest,
    recipe: RecipeKind,
    data: DemoData,
    consortium: Consortium,
    processes: ProcessGroup,
) -> tuple[dict[str, object], SpentByAll | None]:
    with steps.step("set_up", "make a coordinator with its own CA, start it with Flower behind it"):
        consortium.set_up(_copied_rows(request.out, data) if request.sabotage else None)
    with steps.step("enrol", f"{request.organisations} organisations enrol with one-time tokens, keys made locally"):
        consortium.enrol()
    with steps.step("agree", "every organisation signs the charter (scripted here; people compare fingerprints)"):
        consortium.agree_on_charter()
    with steps.step("agree", "the coordinator proposes a plan"):
        plan_file = consortium.propose_plan(
            _confirmed(data.schema),
            recipe=recipe,
            rounds=request.rounds,
            seed=request.seed,
            budget=request.budget,
            policy=_POLICY,
            edits=_SPLITS if request.budget is None else {**_canaries(data.schema), **_RELEASED},
        )
    console.print(f"its audit: {audit_in_one_line(consortium.plan().audit)}", soft_wrap=True, highlight=False)
    with steps.step("agree", "every organisation approves the plan by its digest (scripted here)"):
        plan_digest = consortium.approve()
    with steps.step("start", "every organisation serves its own rows through its own Flower node"):
        consortium.serve_rows()
    with steps.step("train", _TRAINING[recipe] if request.budget is None else _NOISY, quiet=True):
        run = consortium.train()
    name = _dataset_name(data.name)
    release(console, steps.step, consortium, name, sabotage=request.sabotage)
    dataset, researcher = request.out / "dataset", request.out / "researcher"
    with steps.step("download", "a researcher downloads it and verifies every signature and digest"):
        said = consortium.download(name, dataset, researcher)
    print_quoted(console, said)
    privacy: SpentByAll | None = None
    if request.budget is not None:
        with steps.step("account", "add ε up from the card, from every organisation's ledger, and from signed events"):
            ledgers = consortium.ledgers()
            keep_ledgers(request.out / "ledgers", ledgers)
            privacy = compare(stated_in(dataset), consortium.run_id, ledgers, said)
    synthetic = pyarrow.parquet.read_table(dataset / "data.parquet")
    write_csv(synthetic, request.out / "synthetic.csv")
    _keep_plot(request.out, consortium)
    own_noise = "" if request.budget is None else ", at the same ε with noise of its own"
    with steps.step("alone", f"for comparison, each organisation's own generator on its own rows only{own_noise}"):
        alone_tables = _train_alone(request.out / "consortium", plan_file, data, synthetic.num_rows, processes)
    with steps.step("judge", "judge all by models trained on them and tested on the held-out real rows"):
        scores = _score(data, synthetic, alone_tables)
    result = {
        "organisations": request.organisations,
        "rows_of_organisations": [len(part) for part in data.parts],
        "recipe": recipe,
        "rounds": run.get("rounds"),
        "released": run.get("released"),
        "seconds": {**steps.seconds, **{f"run_{k}": v for k, v in dict(_mapping(run.get("seconds"))).items()}},
        "bytes_up": run.get("bytes_up"),
        "bytes_down": run.get("bytes_down"),
        **scores,
        "dataset": str(dataset),
        "manifest_sha256": _digest(dataset),
        "plan_digest": plan_digest,
        "charter_digest": consortium.charter_digest,
        "schema": SCHEMA_FROM_ROWS if data.schema_was_drafted else "given",
        "privacy": "none" if privacy is None else privacy.to_document(),
        "protection": run.get("protection"),
    }
    return result, privacy


def _canaries(schema: Schema) -> Mapping[str, Mapping[str, object]]:
    """A few canaries, whose secrets are opened after the run; none where the columns have no room for a secret."""
    try:
        SecretSpace.of(schema)
    except InputError:
        return {}
    return {"audit.settings": {"canaries": _CANARIES}}


def _copied_rows(out: Path, data: DemoData) -> Path:
    """All organisations' training rows in one file, for the saboteur: what no real coordinator has."""
    file, shares = out / "copied-rows.parquet", SplitShares.model_validate(_SPLITS["splits"])
    schema = _confirmed(data.schema)
    own = [split_rows(load_table(data.rows_of(number), schema), shares, "train") for number in range(len(data.parts))]
    pyarrow.parquet.write_table(Table.concat(own).to_arrow(), file)
    return file


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _confirmed(schema: Schema) -> Schema:
    columns = tuple(column.model_copy(update={"unconfirmed": ()}) for column in schema.columns)
    return schema.model_copy(update={"columns": columns})


def _dataset_name(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:60] or "demo"


def _digest(dataset: Path) -> str:
    from headwater.canonical import sha256_hex

    manifest = dataset / "manifest.json"
    if not manifest.is_file():
        raise ReleaseRefused(f"{dataset} holds no manifest.json; the download is not a release")
    return sha256_hex(manifest.read_bytes())


def _keep_plot(out: Path, consortium: Consortium) -> None:
    plot = consortium.home / "runs" / consortium.run_id / "health.svg"
    if plot.is_file():
        shutil.copyfile(plot, out / "health.svg")


def _train_alone(folder: Path, plan_file: Path, data: DemoData, wanted: int, processes: ProcessGroup) -> list[pa.Table]:
    names = [f"alone-{number}" for number in range(len(data.parts))]
    for number, name in enumerate(names):
        pyarrow.parquet.write_table(data.rows_of(number), folder / f"{name}-rows.parquet")
    for batch in _batches(names):
        for name in batch:
            processes.start(
                name, "headwater_server.demo.alone", str(plan_file), str(folder / f"{name}-rows.parquet"),
                str(folder / f"{name}.parquet"), str(wanted),
            )  # fmt: skip
        for name in batch:
            processes.wait(name)
    return [pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in names]


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def _score(data: DemoData, synthetic: pa.Table, alone: list[pa.Table]) -> dict[str, object]:
    target = data.schema.target
    name = target.name if target is not None else ""
    judge = Usefulness(data.train, data.test, name)
    return {
        "alone": [judge.score(table) for table in alone],
        "together": judge.score(synthetic),
        "real": judge.score(data.train),
    }


def _keep(console: Console, lines: tuple[str, ...], processes: ProcessGroup) -> None:
    console.print("[bold]The whole consortium is up; Ctrl-C ends it and leaves its files.[/bold]")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            processes.check_alive()
            time.sleep(1)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM takes the same way out as Ctrl-C, so that nothing stays behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
