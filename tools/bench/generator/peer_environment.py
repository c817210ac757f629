"""A virtual environment for a peer's packages, made once, apart from ours."""

import os
import pathlib
import subprocess
import sys
import venv

__all__ = ["ENVIRONMENT", "PACKAGES", "make_environment", "peer_python"]

_ROOT = pathlib.Path(__file__).parents[3]
ENVIRONMENT = _ROOT / "build" / "bench" / "peer-venv"
PACKAGES = ("torch==2.13.0", "ctgan==0.12.1")
_MADE = "made"


def make_environment(folder: pathlib.Path = ENVIRONMENT) -> str | None:
    """Make it if it is not there.

    Returns:
        None where it stands, or why it does not.
    """
    stamp = folder / _MADE
    wanted = "\n".join(PACKAGES)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return None
    print(f"making {folder} with {', '.join(PACKAGES)} for the peer; once, some minutes", file=sys.stderr, flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no virtual environment: {error}"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for package in PACKAGES:
        done = subprocess.run([*pip, package], check=False, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return f"pip cannot install {package}: {last}"
    stamp.write_text(wanted, encoding="utf-8")
    return None


def peer_python(folder: pathlib.Path = ENVIRONMENT) -> pathlib.Path:
    """The interpreter of the environment.

    Raises:
        SystemExit: it was not made.
    """
    if not (folder / _MADE).is_file():
        raise SystemExit(f"there is no peer environment in {os.path.relpath(folder)}")
    return folder / "bin" / "python"
