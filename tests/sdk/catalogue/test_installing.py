"""What a researcher's install brings: the base dependencies alone, each of which something of the SDK imports."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]

BASE = {
    "click",
    "cryptography",
    "httpx",
    "numpy",
    "pyarrow",
    "pydantic",
    "rfc8785",
    "rich",
    "safetensors",
    "securesystemslib",
    "tomlkit",
    "typer",
}
"""A longer list is a decision: every researcher installs it."""


def test_the_base_dependencies_are_few_and_known() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[A-Za-z0-9-]+", each) for each in project["dependencies"]}
    assert {match[0] for match in names if match} == BASE


def test_the_researchers_commands_and_views_import_with_the_base_alone() -> None:
    # Whatever is neither in the standard library, nor ours, nor a base dependency or what those bring, is blocked.
    program = (
        "import sys\n"
        "blocked = ('torch flwr grpc google sqlalchemy fastapi starlette uvicorn pandas polars matplotlib scipy '\n"
        "  'altair sklearn lightgbm structlog jinja2 pydantic_settings dp_accounting').split()\n"
        "class Refusal:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in blocked:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Refusal())\n"
        "import headwater, headwater.cli, headwater.cli.cache, headwater.cli.catalogue\n"
        "import headwater.catalogue.loading, headwater.catalogue.block_file, headwater.catalogue.parallel\n"
        "headwater.catalogue, headwater.load_dataset\n"
        "print('imported')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "imported", done.stderr[-500:]
