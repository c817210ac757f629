"""nginx with the coordinator's certificate, serving the same file: as it comes, and with larger buffers."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from headwater_server.settings import CoordinatorHome

__all__ = ["Nginx", "running_nginx"]

_CONFIGURATION = """
daemon off; worker_processes {workers}; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {keys}/server.crt; ssl_certificate_key {keys}/server.key; ssl_protocols TLSv1.3;
  server {{ listen 127.0.0.1:{stock} ssl; root {root}; }}
  server {{ listen 127.0.0.1:{tuned} ssl; root {root}; ssl_buffer_size 64k; output_buffers 2 512k; }}
}}
"""
_WORKERS = 2


@dataclass(frozen=True)
class Nginx:
    """One that serves.

    Attributes:
        stock: URL of the file where ssl_buffer_size and output_buffers are as they come.
        tuned: URL of the file with ssl_buffer_size 64k and output_buffers 2 512k.
        pid: of its first process; the workers are its children.
    """

    stock: str
    tuned: str
    pid: int


@contextlib.contextmanager
def running_nginx(folder: pathlib.Path, home: CoordinatorHome, file: pathlib.Path) -> Iterator[Nginx]:
    """Serve a file over TLS 1.3; nginx asks for its binary's folder alone.

    Raises:
        SystemExit: nginx is not here, or does not come up.
    """
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    if binary is None:
        raise SystemExit("error: nginx is not here; install it to measure beside it")
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(2)]
    text = _CONFIGURATION.format(
        folder=folder, keys=home.keys, root=file.parent, stock=ports[0], tuned=ports[1], workers=_WORKERS
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen([binary, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        _await(ports[1], process)
        yield Nginx(*(f"https://127.0.0.1:{port}/{file.name}" for port in ports), process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("error: nginx does not come up; see its words above")
