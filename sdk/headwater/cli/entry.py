"""How every command of Headwater starts and fails: one clear line, a non-zero exit, never a traceback."""

import errno
import json
import os
import sys

import typer

from headwater.errors import HeadwaterError

__all__ = ["run"]

_EXTRAS = {
    "evaluation": ("lightgbm", "pandas", "sklearn"),
    "privacy": ("dp_accounting",),
    "simulation": ("ray",),
    "audit": ("fairlearn", "scipy"),
    "coordinator": ("alembic", "fastapi", "jinja2", "matplotlib", "sqlalchemy", "starlette", "uvicorn"),
}
"""What pyproject.toml brings with one extra alone; the rest comes with `org` and with `coordinator`."""


def _line(text: str) -> str:
    return " ".join(str(text).split())


def _extra(package: str) -> str:
    top = package.partition(".")[0]
    found = next((extra for extra, packages in _EXTRAS.items() if top in packages), "org] or headwater[coordinator")
    return f"pip install headwater[{found}] brings it"


def _told(error: HeadwaterError) -> str:
    if "--json" not in sys.argv:
        return f"error: {_line(str(error))}\n"
    return json.dumps({"error": {"code": error.code, "message": _line(str(error))}}) + "\n"


def run(app: typer.Typer) -> None:
    """Run a command-line application and turn failures into one line on standard error.

    Exit status: 0 done; 1 refused, with the reason; 2 wrong usage; 130 interrupted by Ctrl-C.
    With --json the reason comes as JSON on standard error, under a code that stays the same.
    Set HEADWATER_TRACEBACK=1 to see where an error came from.
    """
    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None
    except HeadwaterError as error:
        if os.environ.get("HEADWATER_TRACEBACK"):
            raise
        sys.stderr.write(_told(error))
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        if os.environ.get("HEADWATER_TRACEBACK"):
            raise
        sys.stderr.write(f"error: the package {error.name} is not installed; {_extra(error.name or '')}\n")
        raise SystemExit(1) from None
    except OSError as error:
        if os.environ.get("HEADWATER_TRACEBACK"):
            raise
        where = f" ({error.filename})" if error.filename else ""
        what = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        sys.stderr.write(f"error: {_line(what)}{where}; nothing was published, mend it and run the command again\n")
        raise SystemExit(1) from None
