"""How much memory a process holds, from Linux's /proc."""

import pathlib

__all__ = ["Memory", "peak_bytes"]


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


def _status(name: str) -> int:
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {name}; this benchmark reads memory from Linux's /proc")
