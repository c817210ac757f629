"""One target under atheris, by random mutation where there is no atheris, or with one input; `run.py` starts this.

Usage: python tools/fuzz/child.py NAME SECONDS CORPUS FOUND SEED
       python tools/fuzz/child.py NAME --replay FILE
"""

import hashlib
import importlib.util
import os
import random
import sys
import time
import traceback
from pathlib import Path

LIMITS = ("-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096", "-max_len=4096", "-verbosity=1")


def replay(name: str, path: Path) -> None:
    """Try one input; a broken promise is a traceback."""
    from support.fuzzing.targets import TARGETS

    TARGETS[name].check(path.read_bytes())
    print(f"{path} breaks no promise of {name}")


def guide(name: str, seconds: int, corpus: Path, found: Path, seed: int) -> None:
    """Fuzz by coverage until the time is up; does not return."""
    import atheris

    # Only our own code is measured: what happens inside a dependency guides nothing that we could mend.
    with atheris.instrument_imports(include=["headwater", "headwater_client", "headwater_server"]):
        from support.fuzzing.targets import TARGETS

        target = TARGETS[name]
        for data in target.seeds():
            # Seeds may import lazily, and those imports are to be instrumented too.
            target.check(data)
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    options = [*LIMITS, f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={found}/{name}-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.check)
    atheris.Fuzz()


def mutate(name: str, seconds: int, found: Path, seed: int) -> None:
    """Spoil seeds at random until the time is up; an input that breaks a promise is kept."""
    from support.fuzzing.choices import Choices
    from support.fuzzing.damage import damage_bytes
    from support.fuzzing.targets import TARGETS

    target, chance = TARGETS[name], random.Random(seed or os.urandom(8))
    seeds, tried, end = target.seeds(), 0, time.monotonic() + seconds
    while tried < len(seeds) or time.monotonic() < end:
        data = (
            seeds[tried]
            if tried < len(seeds)
            else damage_bytes(chance.choice(seeds), Choices(chance.randbytes(64)), seeds)
        )
        tried += 1
        try:
            target.check(data)
        except BaseException:  # noqa: BLE001 - whatever it is, its input is kept
            traceback.print_exc()
            kept = found / f"{name}-crash-{hashlib.sha256(data).hexdigest()[:16]}"
            kept.write_bytes(data)
            print(f"Test unit written to {kept}")
            sys.exit(1)
    print(f"stat::number_of_executed_units: {tried}\ncorp: {len(seeds)}")


def main() -> None:
    """Do what the command line says."""
    name, *rest = sys.argv[1:]
    if rest[0] == "--replay":
        replay(name, Path(rest[1]))
    elif importlib.util.find_spec("atheris") is None:
        mutate(name, int(rest[0]), Path(rest[2]), int(rest[3]))
    else:
        guide(name, int(rest[0]), Path(rest[1]), Path(rest[2]), int(rest[3]))


if __name__ == "__main__":
    main()
