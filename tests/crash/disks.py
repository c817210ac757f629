"""Disks that are full: a small one of its own where the system allows it, else a limit on the process's files."""

import os
import resource
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["empty_disk", "fill_disk", "mount_disk", "namespace_command"]

_BALLAST = "ballast"


@cache
def namespace_command() -> tuple[str, ...] | None:
    """What to put before a command so that it may mount disks which nobody else sees; None where that is refused."""
    for command in (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")):
        try:
            tried = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, check=False)
        except FileNotFoundError:
            return None
        if tried.returncode == 0:
            return command
    return None


def mount_disk(folder: Path, size_bytes: int) -> None:
    """Mount an empty disk in this process's own namespace."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", str(folder)], check=True)


def fill_disk(folder: Path) -> None:
    """Let nothing more be written under `folder`: by ballast on a disk of its own, else by this process's limit."""
    if not folder.is_mount():
        # Python ignores SIGXFSZ, so that a write fails as on a full disk: with an error.
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
        return
    ballast = os.open(folder / _BALLAST, os.O_WRONLY | os.O_CREAT)
    for size in (2**20, 2**12, 1):
        try:
            while os.write(ballast, bytes(size)):
                pass
        except OSError:
            continue
    os.close(ballast)


def empty_disk(folder: Path, process: int) -> None:
    """Undo what `fill_disk` did in a process; `folder` is as seen from here."""
    _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
    (folder / _BALLAST).unlink(missing_ok=True)
