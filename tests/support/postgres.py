"""A throw-away PostgreSQL server of the binaries that Debian installs: on a socket in a folder of its own, no port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from support.superlink import wait_for

__all__ = ["find_binaries", "serve_postgres"]

_SUPERUSER = "headwater"
_INSTALLED = Path("/usr/lib/postgresql")


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`; None where PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    folders = [*_INSTALLED.glob("*/bin"), *([Path(on_path).resolve().parent] if on_path else [])]
    complete = [folder for folder in folders if (folder / "initdb").is_file() and (folder / "postgres").is_file()]
    return max(complete, default=None)


@contextmanager
def serve_postgres(binaries: Path) -> Iterator[URL]:
    """Run a server until the block ends; yields the address of its first database."""
    # Not pytest's folder: a socket's path may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="headwater-pg-"))
    as_whom = _as_whom()
    try:
        if as_whom:
            shutil.chown(folder, as_whom["user"], as_whom["group"])
        data = folder / "data"
        made = subprocess.run(
            [
                binaries / "initdb", "--pgdata", data, "--username", _SUPERUSER, "--auth", "trust",
                "--encoding", "UTF8", "--locale", "C", "--no-sync",
            ],
            cwd=folder, capture_output=True, text=True, check=False, **as_whom,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                # Nothing that it holds outlives it, so nothing has to reach the disk.
                [
                    binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
                    "-c", "shared_buffers=16MB",
                ],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_whom,
            )  # fmt: skip
        try:

            def ready() -> bool:
                assert server.poll() is None, (folder / "log").read_text()
                asked: list[str | Path] = [binaries / "pg_isready", "--quiet", "--host", folder]
                return subprocess.run(asked, check=False).returncode == 0

            wait_for(ready, "PostgreSQL takes connections")
            query = {"host": str(folder)}
            yield URL.create("postgresql+psycopg", username=_SUPERUSER, database="postgres", query=query)
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: open connections are cut
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def _as_whom() -> dict[str, Any]:
    """Root may not run PostgreSQL; nobody may."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
