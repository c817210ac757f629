"""Generate the Python code of protos/, or check that the code in the repository is what they generate.

Run `python tools/gen_protos.py` after an edit to a .proto, `python tools/gen_protos.py --check` in CI.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("headwater/rpc/v1")
TARGET = ROOT / "sdk"
SUFFIXES = ("_pb2.py", "_pb2_grpc.py", "_pb2.pyi", "_pb2_grpc.pyi")


def generate(out: Path) -> list[Path]:
    """Write the generated modules under `out`.

    Returns:
        Their paths relative to `out`, sorted.

    Raises:
        SystemExit: protoc refused a file; it has printed why.
    """
    # The mypy plug-ins are console scripts of this interpreter's environment, which may not be on the PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    sources = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / PACKAGE).glob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    status = protoc.main(["protoc", f"-I{PROTOS}", f"-I{well_known}", *outputs, *sources])
    if status != 0:
        raise SystemExit(f"protoc refused protos/{PACKAGE} (status {status}); its own message is above")
    return sorted(PACKAGE / f"{Path(source).stem}{suffix}" for source in sources for suffix in SUFFIXES)


def drift() -> list[str]:
    """Compare the checked-in code with a fresh generation; one line for each difference."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = generate(Path(folder))
        lines = [
            f"{path}: differs from what protos/ generates"
            for path in fresh
            if not (TARGET / path).is_file() or (TARGET / path).read_bytes() != (Path(folder) / path).read_bytes()
        ]
    stale = sorted(path.relative_to(TARGET) for path in (TARGET / PACKAGE).glob("*_pb2*.py*"))
    return lines + [f"{path}: has no .proto any more" for path in stale if path not in fresh]


def main() -> int:
    """Run the command; 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail where the code has drifted")
    if not parser.parse_args().check:
        written = generate(TARGET)
        print(f"wrote {len(written)} files under sdk/{PACKAGE}")
        return 0
    lines = drift()
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print("run `make protos` and commit what it writes", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
