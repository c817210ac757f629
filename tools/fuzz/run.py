"""Fuzz every parser and both state machines for a bounded time, guided by coverage.

Usage: python tools/fuzz/run.py [--seconds 60] [--seed 1] [--target NAME …]
       python tools/fuzz/run.py --target NAME --replay FILE

The seconds are for all targets together, two of which run side by side. With a seed the same code is given the same
inputs, as far as the time reaches: so the gate hardly fails by chance, and runs without one look further. The corpus
grows in build/fuzz/corpus/NAME and serves the next run; an input that breaks a promise is kept as
build/fuzz/found/NAME-…, and is to become a test. Where atheris has no wheel (it has them for CPython 3.11 on 64-bit
Linux), the same targets are tried by random mutation.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
CHILD = Path(__file__).with_name("child.py")
NAMES = (
    "world",
    "participant",
    "aggregator",
    "messages",
    "generator",
    "contributions",
    "receipts",
    "histories",
    "documents",
    "enrolments",
    "settings",
    "tasks",
    "texts",
)
PROCESSES = 2
START_SECONDS = 120


@dataclass(frozen=True)
class Result:
    """What one target's run came to.

    Attributes:
        name: the target.
        executions: inputs tried.
        coverage: edges of Headwater's code that were reached; 0 where it is not measured.
        corpus: inputs kept because each reached something new.
        found: files with an input that breaks a promise.
        failed: the fuzzer ended otherwise than in time.
        text: its last words, for a failure.
    """

    name: str
    executions: int
    coverage: int
    corpus: int
    found: tuple[Path, ...]
    failed: bool
    text: str


def environment() -> dict[str, str]:
    """The child's environment: this checkout's code, one thread."""
    places = [ROOT / part for part in ("sdk", "client", "server", "tests")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places)), "OMP_NUM_THREADS": "1"}


def fuzz(name: str, seconds: int, seed: int) -> Result:
    """Fuzz one target for so many seconds, after its seeds were tried."""
    corpus, found = BUILD / "corpus" / name, BUILD / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    try:
        ended = subprocess.run(
            [sys.executable, str(CHILD), name, str(seconds), str(corpus), str(found), str(seed)],
            env=environment() | ({"PYTHONHASHSEED": "0"} if seed else {}),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + START_SECONDS,
            check=False,
        )
        text, status = ended.stdout + ended.stderr, ended.returncode
    except subprocess.TimeoutExpired:
        text, status = f"{name} did not end {START_SECONDS} seconds after its time", 1
    # By what is said: an input found again has the name that it had before.
    new = tuple(Path(path) for path in re.findall(r"Test unit written to (\S+)", text))
    return Result(
        name=name,
        executions=_last(r"stat::number_of_executed_units:\s*(\d+)", text) or _last(r"#(\d+)\s", text),
        coverage=_last(r"cov: (\d+)", text),
        corpus=_last(r"corp: (\d+)", text),
        found=new,
        failed=bool(new) or status != 0,
        text=_last_words(text),
    )


def main() -> int:
    """Fuzz, print one line for each target, and fail if any broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the fuzzer's chance; 0, the default, is another each time"
    )
    parser.add_argument("--target", action="append", choices=NAMES, help="only this one; may be given again")
    parser.add_argument("--replay", type=Path, help="try this one input, without atheris")
    options = parser.parse_args()
    names = tuple(options.target or NAMES)
    if options.replay is not None:
        command = [sys.executable, str(CHILD), names[0], "--replay", str(options.replay)]
        return subprocess.run(command, env=environment(), check=False).returncode
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not here (it has wheels for CPython 3.11 on 64-bit Linux): trying random mutation instead")
    each = max(1, options.seconds * min(PROCESSES, len(names)) // len(names))
    print(f"{'target':<12} {'executions':>10} {'coverage':>9} {'corpus':>7} {'found':>6}")
    failed = False
    with ThreadPoolExecutor(PROCESSES) as pool:
        for result in pool.map(lambda name: fuzz(name, each, options.seed), names):
            row = (result.executions, result.coverage, result.corpus, len(result.found))
            print(f"{result.name:<12} {row[0]:>10} {row[1]:>9} {row[2]:>7} {row[3]:>6}", flush=True)
            if result.failed:
                failed = True
                print(result.text, file=sys.stderr)
            for path in result.found:
                kept = path.relative_to(ROOT)
                print(f"reproduce: python tools/fuzz/run.py --target {result.name} --replay {kept}", flush=True)
    return 1 if failed else 0


def _last_words(text: str) -> str:
    """The traceback and what follows it; the end of what was said where there is none."""
    said = "\n".join(line for line in text.splitlines() if not line.startswith("INFO: Instrumenting"))
    _, marked, traceback = said.rpartition("=== Uncaught Python exception")
    return (marked + traceback)[:8000] if marked else said[-4000:]


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
