"""wrk and curl, and what their words say."""

import json
import pathlib
import re
import subprocess
from dataclasses import dataclass

__all__ = ["Load", "fetch", "load", "process_cpu", "resident_bytes"]

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_TICKS = 100.0


@dataclass(frozen=True)
class Load:
    """What wrk measured.

    Attributes:
        rate: answered requests per second.
        median: seconds from request to answer.
        slowest: seconds, of the slowest of a hundred.
    """

    rate: float
    median: float
    slowest: float


def load(url: str, *, seconds: int, connections: int) -> Load:
    """Ask for a page over and over, over TLS connections that stay open.

    Raises:
        ValueError: wrk failed, or an answer was no success.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if done.returncode or rate is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise ValueError(f"wrk: {(done.stdout + done.stderr).strip()[-300:]}")
    if not float(rate[1]):
        raise ValueError(f"wrk: no answer within {seconds} s")
    return Load(float(rate[1]), _latency(done.stdout, "50%"), _latency(done.stdout, "99%"))


def _latency(text: str, share: str) -> float:
    found = re.search(rf"{share}\s+([0-9.]+)(us|ms|s)", text)
    if found is None:
        raise ValueError("wrk told no latencies")
    return float(found[1]) * _UNITS[found[2]]


def fetch(url: str, ca: pathlib.Path, size: int, to: pathlib.Path = pathlib.Path("/dev/null")) -> float:
    """Read a file whole with curl over a new connection; wall seconds.

    Raises:
        ValueError: curl failed, or the file is not as long as it should be.
    """
    told = "--write-out", "%{json}"
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", str(ca), "--output", str(to), *told, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"curl: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    if figures["size_download"] != size:
        raise ValueError(f"curl read {figures['size_download']} bytes, not {size}")
    return float(figures["time_total"])


def process_cpu(pid: int, *, children: bool = False) -> float:
    """CPU seconds that a process took since it began, its threads together; `children`: and its children that live."""
    pids = [pid]
    if children:
        listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        pids += [int(each) for each in listed.split()]
    # utime and stime are fields 14 and 15; the second one, a name in parentheses, may hold blanks.
    stats = [pathlib.Path(f"/proc/{each}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for each in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} is gone")
