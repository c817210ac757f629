"""What to try while the demo's consortium is up: commands that can be copied as they are printed."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from headwater_server.demo.consortium import Consortium

__all__ = ["program", "what_to_try"]


def program(name: str) -> str:
    """How a shell that stands here runs a script of this environment: by its name where PATH finds that very script."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).absolute() == beside.absolute():
        return name
    return _here(beside)


def what_to_try(consortium: Consortium, name: str, researcher: Path) -> tuple[str, ...]:
    """Lines for a terminal: the pages, and a few commands for each of the three roles.

    Args:
        consortium: that is up, with a release.
        name: of the dataset.
        researcher: the folder in which a researcher's programs know the catalogue.
    """
    headwater, organisation, operator = (
        program(each) for each in ("headwater", "headwater-org", "headwater-coordinator")
    )
    address, member = consortium.address, consortium.members[0]
    loading = f'import headwater; print(headwater.load_dataset("{name}", as_="pandas"))'
    home, member_home = _here(consortium.home), _here(consortium.home_of(member))
    return (
        f"In a browser: {address}/datasets/{name}",
        f"  {address}/runs/{consortium.run_id}",
        "  It warns first: the certificate comes from the consortium's own CA, which no browser knows. Here you may go",
        "  on, since nobody stands between you and your own machine; elsewhere compare the fingerprint first. Programs",
        f"  trust that CA by name: curl --cacert {_here(consortium.ca)} {address}/api/v1/releases",
        "As a researcher, in another terminal (the variable keeps the demo out of your ~/.headwater):",
        f"  export HEADWATER_HOME={_here(researcher)}",
        f"  {headwater} catalogue add {address} --ca {_here(consortium.ca)} --charter {consortium.charter_digest}",
        f"  {headwater} show {name}",
        f"  {headwater} download {name} --out my-copy",
        f"  {_here(Path(sys.executable))} -c {shlex.quote(loading)}",
        f"As an organisation ({', '.join(consortium.members)}):",
        f"  {organisation} datasets list --home {member_home}",
        f"  {organisation} receipts verify {consortium.run_id} --home {member_home}",
        "As the operator:",
        f"  {operator} access token create me --scope read:registered --expires 1d --home {home}",
        f"  {operator} access dataset {name} --level registered --home {home}",
        f"  {operator} downloads {name} --home {home}",
    )


def _here(path: Path) -> str:
    """A path as this folder's shell writes it: short where it lies below, quoted where it must be."""
    absolute = Path(os.path.abspath(path))
    below = Path.cwd()
    return shlex.quote(str(absolute.relative_to(below) if absolute.is_relative_to(below) else absolute))
