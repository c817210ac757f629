"""How much memory a process holds, from Linux's /proc."""

import contextlib
import os
import pathlib

__all__ = ["Memory", "family_bytes", "peak_bytes"]


class Memory:
    """How far this process's resident memory rose above what it was when this was made.

    `ru_maxrss` would not do: a child that was just started inherits its parent's. Linux keeps the peak of the process
    itself in /proc, where it can be set back.
    """

    def __init__(self) -> None:
        """Take the present size as the base."""
        self._base = _status("VmRSS")

    def reset(self) -> None:
        """Forget the peak so far."""
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    @property
    def peak_bytes(self) -> int:
        """The peak since `reset`, above the base."""
        return max(0, peak_bytes() - self._base)


def peak_bytes() -> int:
    """The most that this process ever held, or held since its peak was set back; the interpreter included."""
    return _status("VmHWM")


def family_bytes(root: int) -> int:
    """What a process and all below it hold now; pages that several share count once (Pss)."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            # Processes end while they are looked at.
            with contextlib.suppress(OSError):
                stat = pathlib.Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(_shared_out, family))


def _shared_out(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _status(name: str) -> int:
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {name}; this benchmark reads memory from Linux's /proc")
