"""Virtual environments for peers' packages, each made once, apart from ours and from each other."""

import os
import pathlib
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence

__all__ = ["PACKAGES", "make_environment", "peer_python"]

_BENCH = pathlib.Path(__file__).parents[3] / "build" / "bench"
PACKAGES: Mapping[str, Sequence[str]] = {
    "anonymeter": ("anonymeter==1.1.0",),
    "ctgan": ("torch==2.13.0", "ctgan==0.12.1"),
    "dpmm": ("dpmm==0.1.9",),
    "opacus": ("torch==2.13.0", "opacus==1.6.0"),
    "sdmetrics": ("sdmetrics==0.32.0",),
    "sdv": ("sdv==2.0.0",),
}
"""Peer → what pip installs for it, in order."""
_MADE = "made"


def make_environment(peer: str, bench: pathlib.Path = _BENCH) -> str | None:
    """Make a peer's environment if it is not there.

    Args:
        peer: its name in `PACKAGES`.
        bench: folder that environments lie in.

    Returns:
        None where it stands, or why it does not.
    """
    folder, packages = _folder(peer, bench), PACKAGES[peer]
    stamp = folder / _MADE
    wanted = "\n".join(packages)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return None
    print(f"making {folder} with {', '.join(packages)} for the peer; once, some minutes", file=sys.stderr, flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no virtual environment: {error}"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for package in packages:
        done = subprocess.run([*pip, package], check=False, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return f"pip cannot install {package}: {last}"
    stamp.write_text(wanted, encoding="utf-8")
    return None


def peer_python(peer: str, bench: pathlib.Path = _BENCH) -> pathlib.Path:
    """The interpreter of a peer's environment.

    Raises:
        SystemExit: it was not made.
    """
    folder = _folder(peer, bench)
    if not (folder / _MADE).is_file():
        raise SystemExit(f"there is no environment for {peer} in {os.path.relpath(folder)}")
    return folder / "bin" / "python"


def _folder(peer: str, bench: pathlib.Path) -> pathlib.Path:
    return bench / f"peer-{peer}"
