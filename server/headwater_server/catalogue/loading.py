"""How to load a version of a dataset with each tool, with this catalogue's own addresses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.release.layout import DATA
from headwater.release.manifest import Manifest
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["Snippet", "loading_snippets"]


@dataclass(frozen=True)
class Snippet:
    """Lines to copy.

    Attributes:
        tool: its name.
        note: what they do, in a sentence.
        code: to be copied as it is; CA file and token stand in the environment.
        language: that the code is in, for readers who hear it.
    """

    tool: str
    note: str
    code: str
    language: str


def loading_snippets(manifest: Manifest, settings: CatalogueSettings, *, token: bool) -> Sequence[Snippet]:
    """One for each tool, the one that checks signatures first; `token`: the rows are for readers with one alone."""
    url = settings.address + file_url(manifest.name, manifest.version, DATA)
    private = bool(settings.ca_digest)
    trust = 'os.environ["SSL_CERT_FILE"] = "ca.crt"  # the consortium\'s CA\n' if private else ""
    bearer = "f\"Bearer {os.environ['TOKEN']}\""
    begin = f"import os\n{trust}\n" if private or token else ""
    headers = f', storage_options={{"Authorization": {bearer}}}' if token else ""
    client = f', storage_options={{"client_kwargs": {{"headers": {{"Authorization": {bearer}}}}}}}' if token else ""
    name, version = json.dumps(manifest.name), manifest.version
    unchecked = "Reads over HTTPS and checks no signature."
    duck = "\n".join(
        (
            "INSTALL httpfs;",
            "LOAD httpfs;",
            *(["SET ca_cert_file = 'ca.crt';"] if private else []),
            *(["CREATE SECRET (TYPE http, BEARER_TOKEN getenv('TOKEN'));"] if token else []),
            f"FROM read_parquet('{url}') LIMIT 10;",
        )
    )
    curl = "".join(
        (
            "curl --fail --location --remote-name",
            " --cacert ca.crt" if private else "",
            ' \\\n  -H "Authorization: Bearer $TOKEN"' if token else "",
            f" \\\n  {url}\n",
            f'echo "{_digest(manifest)}  {DATA}" | sha256sum --check',
        )
    )
    return (
        Snippet(
            "headwater",
            "Checks every signature and digest against the charter that you pinned, resumes, and keeps a copy.",
            f"import headwater\n\ntable = headwater.load_dataset({name}, version={version})",
            "Python",
        ),
        Snippet(
            "pandas",
            unchecked,
            f'{begin}import pandas as pd\n\nframe = pd.read_parquet(\n    "{url}"{headers},\n)',
            "Python",
        ),
        Snippet(
            "polars",
            f"{unchecked} Only the columns and row groups that the query needs are fetched."
            if not token
            else "Reads a downloaded file; columns and rows that the query does not need are skipped.",
            f'{begin}import polars as pl\n\nframe = pl.scan_parquet(\n    "{url}",\n).head(10).collect()'
            if not token
            else f'import polars as pl\n\nframe = pl.scan_parquet("{DATA}").head(10).collect()',
            "Python",
        ),
        Snippet("DuckDB", f"{unchecked} Only what the query needs is fetched.", duck, "SQL"),
        Snippet(
            "datasets",
            unchecked,
            f'{begin}from datasets import load_dataset\n\nrows = load_dataset(\n    "parquet",\n'
            f'    data_files="{url}",\n    split="train"{client},\n)',
            "Python",
        ),
        Snippet("curl", "One file, checked against its digest.", curl, "shell"),
    )


def _digest(manifest: Manifest) -> str:
    data = manifest.file(DATA)
    return data.sha256 if data is not None else ""
