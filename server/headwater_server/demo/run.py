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

import pyarrow as pa
import pyarrow.parquet
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from headwater.errors import ReleaseRefused
from headwater.evaluation.usefulness import Usefulness
from headwater.recipe.defaults import recipe_of
from headwater.recipe.settings import RecipeKind
from headwater.schema import Schema
from headwater.schema.writing import write_csv
from headwater_server.demo.consortium import Consortium
from headwater_server.demo.data import DemoData, prepare
from headwater_server.demo.processes import ProcessGroup
from headwater_server.output_folder import claim_folder

__all__ = ["DemoRequest", "run_demo"]

_AT_ONCE = 2
_FEW_ROUNDS: Mapping[RecipeKind, int] = {"hybrid": 4}
"""What takes the place of a recipe's own number of rounds: a demo is to be over soon."""

_TRAINING: Mapping[RecipeKind, str] = {
    "hybrid": "the run: secure sums over gRPC, a mixture that climbs with them, local adversarial training",
    "marginals": "the run: secure sums over gRPC, fit",
    "adversarial": "the run: secure sums over gRPC, local adversarial training",
    "mixture": "the run: secure sums over gRPC, a mixture that climbs with them",
}
Score = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What `headwater-coordinator demo` was asked for."""

    data: Path | None
    target: str | None
    schema: Path | None
    organisations: int
    recipe: RecipeKind
    rounds: int | None
    partition: str
    seed: int
    out: Path
    keep: bool


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
        InputError: fewer than three organisations, an unusable table, a folder that is not the demo's.
        HeadwaterError: a step failed; the message is that step's own.
    """
    console = Console()
    steps = _Steps(console)
    with steps.step("data", "read the table, hold out 20 % to judge by, share the rest out"):
        data = prepare(request.data, request.target, request.schema, request.organisations, request.partition)
    rounds = _FEW_ROUNDS.get(request.recipe) if request.rounds is None else request.rounds
    # A recipe that has no such rounds is refused before anything starts.
    recipe_of(data.schema, request.recipe, rounds)
    claim_folder(request.out, "demo")
    _introduce(console, data)
    folder = request.out / "consortium"
    try:
        with _terminated_like_interrupted(), ProcessGroup(folder / "logs", {"OMP_NUM_THREADS": "1"}) as processes:
            consortium = Consortium(folder, processes, data)
            result = _stages(console, steps, replace(request, rounds=rounds), data, consortium, processes)
            (request.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            _conclude(console, request, result)
            if request.keep:
                _keep(console, consortium, processes)
    finally:
        if not request.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _stages(
    console: Console,
    steps: _Steps,
    request: DemoRequest,
    data: DemoData,
    consortium: Consortium,
    processes: ProcessGroup,
) -> dict[str, object]:
    with steps.step("set_up", "make a coordinator with its own CA, start it with Flower behind it"):
        consortium.set_up()
    with steps.step("enrol", f"{request.organisations} organisations enrol with one-time tokens, keys made locally"):
        consortium.enrol()
    with steps.step("agree", "every organisation signs the charter (scripted here; people compare fingerprints)"):
        consortium.agree_on_charter()
    with steps.step("agree", "the coordinator proposes a plan"):
        plan_file = consortium.propose_plan(
            _confirmed(data.schema), recipe=request.recipe, rounds=request.rounds, seed=request.seed
        )
    with steps.step("agree", "every organisation approves the plan by its digest (scripted here)"):
        plan_digest = consortium.approve()
    with steps.step("start", "every organisation serves its own rows through its own Flower node"):
        consortium.serve_rows()
    with steps.step("train", _TRAINING[request.recipe], quiet=True):
        run = consortium.train()
    name = _dataset_name(data.name)
    with steps.step("release", "sample, sign and publish the dataset"):
        consortium.release(name, data.train.num_rows)
    dataset = request.out / "dataset"
    with steps.step("download", "a researcher downloads it and verifies every signature and digest"):
        said = consortium.download(name, dataset, request.out / "consortium" / "researcher")
    _print_quoted(console, said)
    synthetic = pyarrow.parquet.read_table(dataset / "data.parquet")
    write_csv(synthetic, request.out / "synthetic.csv")
    _keep_plot(request.out, consortium)
    with steps.step("alone", "for comparison, each organisation's own generator on its own rows only"):
        alone_tables = _train_alone(request.out / "consortium", plan_file, data, processes)
    with steps.step("judge", "judge all by models trained on them and tested on the held-out real rows"):
        scores = _score(data, synthetic, alone_tables)
    return {
        "organisations": request.organisations,
        "rows_of_organisations": [len(part) for part in data.parts],
        "recipe": request.recipe,
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
        "schema": "read from the rows" if data.schema_was_drafted else "given",
        "privacy": "none",
        "protection": run.get("protection"),
    }


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


def _train_alone(folder: Path, plan_file: Path, data: DemoData, processes: ProcessGroup) -> list[pa.Table]:
    names = [f"alone-{number}" for number in range(len(data.parts))]
    for number, name in enumerate(names):
        pyarrow.parquet.write_table(data.rows_of(number), folder / f"{name}-rows.parquet")
    for batch in _batches(names):
        for name in batch:
            processes.start(
                name, "headwater_server.demo.alone", str(plan_file), str(folder / f"{name}-rows.parquet"),
                str(folder / f"{name}.parquet"), str(data.train.num_rows),
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


def _introduce(console: Console, data: DemoData) -> None:
    rows = f"{data.train.num_rows:,} rows to train on, {data.test.num_rows:,} to judge by"
    console.print(f"[bold]{escape(data.name)}[/bold]: {rows}")
    if data.schema_was_drafted:
        console.print(
            f"[yellow]schema read from the rows[/yellow]: {len(data.schema.unconfirmed)} guesses that a person would "
            "confirm first; a real consortium agrees on public bounds instead"
        )
    for warning in data.warnings:
        console.print(f"[yellow]{escape(warning)}[/yellow]", highlight=False, soft_wrap=True)
    sizes = ", ".join(f"{len(part):,}" for part in data.parts)
    console.print(f"{len(data.parts)} organisations with {sizes} rows")


def _print_quoted(console: Console, text: str) -> None:
    for line in text.strip().splitlines():
        console.print(f"  {line}", style="dim", markup=False, highlight=False)


def _conclude(console: Console, request: DemoRequest, result: Mapping[str, object]) -> None:
    grid = Grid("train a model on …", "gbm AUC", "lr AUC", title="… and test it on real rows that nobody trained on")

    def add(what: str, score: Score, style: str = "") -> None:
        grid.add_row(what, f"{score['gbm']:.3f}", f"{score['lr']:.3f}", style=style)

    alone = result["alone"]
    for number, score in enumerate(alone if isinstance(alone, list) else []):
        add(f"organisation {number + 1}'s own generator, alone", score)
    together, real = _mapping(result["together"]), _mapping(result["real"])
    add("the shared generator", {k: float(str(v)) for k, v in together.items()}, "bold")
    add("pooled real rows, which nobody may have", {k: float(str(v)) for k, v in real.items()}, "dim")
    console.print(grid)
    if released := result["released"]:
        console.print(f"released by {released}", soft_wrap=True, markup=False, highlight=False)
    console.print("[bold red]NOT DIFFERENTIALLY PRIVATE[/bold red]: see the card")
    console.print(str(result["protection"]), soft_wrap=True)
    files = "synthetic.csv, dataset/, result.json, health.svg"
    console.print(f"results in {request.out}: {files}", soft_wrap=True, markup=False)


def _keep(console: Console, consortium: Consortium, processes: ProcessGroup) -> None:
    console.print("The whole consortium is up; Ctrl-C ends it and leaves its files.")
    for line in consortium.whereabouts():
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
