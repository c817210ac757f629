"""One target under atheris, or one input replayed without it; `run.py` starts this with the right path.

Usage: python tools/fuzz/child.py NAME [libFuzzer options] CORPUS
       python tools/fuzz/child.py NAME --replay FILE
"""

import hashlib
import sys
from pathlib import Path


def replay(name: str, path: Path) -> None:
    """Try one input; a broken promise is a traceback."""
    from support.fuzzing.targets import TARGETS

    TARGETS[name].check(path.read_bytes())
    print(f"{path} breaks no promise of {name}")


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz until libFuzzer's time is up; does not return."""
    import atheris

    # Only our own code is measured: what happens inside a dependency guides nothing that we could mend.
    with atheris.instrument_imports(include=["headwater"]):
        from support.fuzzing.targets import TARGETS

        target = TARGETS[name]
        corpus = Path(arguments[-1])
        for data in target.seeds():
            # Seeds may import lazily, and those imports are to be instrumented too.
            target.check(data)
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    limits = ["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096", "-max_len=4096", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *limits, *arguments], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[2:3] == ["--replay"]:
        replay(sys.argv[1], Path(sys.argv[3]))
    else:
        fuzz(sys.argv[1], sys.argv[2:])
