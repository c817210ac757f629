"""The machine that figures were measured on, in words."""

import os
import pathlib
import platform

__all__ = ["machine"]


def machine() -> str:
    """Cores, their model and the Python that ran."""
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"
