"""The process that draws rows on request: `python -m headwater_server.sampling.worker MEMORY_MIB`.

It reads one order a line from standard input and answers in lines of JSON, apart from the coordinator: a request that
takes too much memory or time ends this process and nothing else. When its parent ends, it ends.
"""

import functools
import json
import os
import queue
import resource
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from headwater.errors import HeadwaterError, InputError, StorageError
from headwater.generator.bundle import Bundle
from headwater.generator.pictures import schema_of_rows
from headwater.generator.row_file import write_rows
from headwater.generator.table_generator import RowReader
from headwater.release.hashing import hash_file
from headwater.release.sample_statement import SampleRequest
from headwater_server.sampling.requests import row_request
from headwater_server.sampling.trial import try_out

__all__ = ["main", "obey"]

_NICENESS = 10
_ROWS_BETWEEN_LINES = 65_536


def main(arguments: list[str]) -> None:
    """Obey orders until there are no more."""
    memory = int(arguments[0]) * 2**20
    # Anonymous memory of the process: what a draw allocates, without the libraries that are mapped from files.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    os.nice(_NICENESS)
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, orders), daemon=True).start()
    while True:
        order = json.loads(orders.get())
        if "most_bytes" in order:
            # A file beyond this size fails as a full disk does.
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(order["most_bytes"]), hard))
        _say(sys.stdout, obey(order, lambda rows: _say(sys.stdout, {"rows": rows})))


def obey(order: Mapping[str, object], on_rows: Callable[[int], None]) -> dict[str, object]:
    """Follow one order.

    Args:
        order: "bundle" and "digest" of the generator, "request" as JSON, and "out" with the file to write; a trial
            without it.
        on_rows: told how many rows there are so far.

    Returns:
        {"done": …} with what was found or written, or {"refused": {"code", "message"}}.
    """
    code = "broken"
    try:
        request = SampleRequest.model_validate(order["request"])
        code = "no_generator"
        bundle = _bundle(str(order["bundle"]), str(order["digest"]))
        code = "bad_condition"
        wanted = row_request(schema_of_rows(bundle.sampler, bundle.encoding), request)
        code = _code(request)
        reader = RowReader(bundle.sampler, bundle.encoding, wanted, "cpu")
        if "out" not in order:
            return {"done": _measure(reader, request)}
        return {"done": _draw(reader, request, Path(str(order["out"])), on_rows)}
    except InputError as error:
        return _refused(code, str(error))
    except StorageError:
        return _refused("no_room", "the result has no room on the coordinator's disk; ask for fewer rows, or later")
    except HeadwaterError as error:
        return _refused(error.code, str(error))
    except MemoryError:
        return _refused("too_much_memory", "the request takes more memory than a job may have; ask for less")
    except Exception:  # noqa: BLE001  whatever it is, the job fails and the coordinator goes on
        traceback.print_exc()
        return _refused("broken", "the coordinator could not draw these rows; tell the consortium when it was")


def _code(request: SampleRequest) -> str:
    if request.views != 1:
        return "bad_views"
    return "bad_balance" if request.balanced else "impossible_condition"


def _measure(reader: RowReader, request: SampleRequest) -> dict[str, object]:
    trial = try_out(reader, request.rows, request.seed)
    return {
        "method": reader.method,
        "share": reader.share,
        "estimated": reader.estimated,
        "left_out": reader.left_out,
        "acceptance": trial.acceptance,
        "seconds": trial.seconds,
        "size_bytes": trial.size_bytes,
    }


def _draw(reader: RowReader, request: SampleRequest, out: Path, on_rows: Callable[[int], None]) -> dict[str, object]:
    told = 0

    def tell(rows: int) -> None:
        nonlocal told
        if rows - told >= _ROWS_BETWEEN_LINES or rows == request.rows:
            told = rows
            on_rows(rows)

    rows, _ = write_rows(reader.first(request.rows, request.seed), out, tell)
    size, digest = hash_file(out)
    return {"rows": rows, "size_bytes": size, "sha256": digest}


@functools.lru_cache(maxsize=2)
def _bundle(folder: str, digest: str) -> Bundle:
    return Bundle.load(Path(folder), digest)


def _refused(code: str, message: str) -> dict[str, object]:
    return {"refused": {"code": code, "message": " ".join(message.split())}}


def _say(stream: IO[str], answer: Mapping[str, object]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


def _listen(stream: IO[str], orders: "queue.SimpleQueue[str]") -> None:
    for line in stream:
        orders.put(line)
    # The coordinator is gone or wants no more, whatever is being drawn.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
