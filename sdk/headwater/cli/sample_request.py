"""`headwater sample --on-request`: rows that the coordinator draws for those who may not have the generator."""

from pathlib import Path
from typing import TYPE_CHECKING

from headwater.cli.wording import plain
from headwater.errors import InputError
from headwater.file_size import size_in_words

if TYPE_CHECKING:
    from rich.console import Console

    from headwater.catalogue.samples import SampleProgress
    from headwater.schema import Schema

__all__ = ["draw_on_request"]


def draw_on_request(
    console: "Console",
    name: str,
    version: int | None,
    url: str | None,
    rows: int,
    where: list[str],
    balanced: list[str],
    views: int,
    view_std: float,
    seed: int,
    out: Path | None,
    *,
    dry_run: bool,
) -> None:
    """Ask, wait with the place in the queue and the rows drawn, fetch and verify; Ctrl-C cancels the job.

    Raises:
        HeadwaterError: as `headwater.request_sample`.
    """
    from headwater.catalogue import CatalogueClient, find_dataset, follow_charter, home_folder
    from headwater.catalogue.dataset import check_name
    from headwater.catalogue.samples import draw_sample, estimate_sample
    from headwater.release.layout import SCHEMA
    from headwater.release.sample_statement import SampleRequest
    from headwater.release.statement import headline
    from headwater.schema import Schema
    from headwater.schema.condition_json import condition_as_json
    from headwater.schema.condition_text import read_condition

    check_name(name)
    ending = "parquet" if out is None else _format(out)
    home = home_folder()
    known, chosen = find_dataset(home, name, version, url)
    with CatalogueClient(known) as client:
        history = follow_charter(home, client)
        signed, _ = client.manifest(name, chosen, history)
        schema = Schema.from_toml(client.text_file(signed.manifest, SCHEMA).decode("utf-8"))
        request = SampleRequest.model_validate(
            {
                "rows": rows,
                "where": condition_as_json(read_condition(schema, where)),
                "balanced": _balanced(schema, balanced),
                "views": views,
                "view_std": view_std,
                "seed": seed,
                "format": ending,
            }
        )
        if dry_run or out is None:
            cost = estimate_sample(client, signed.manifest, request)
            console.print(
                f"{rows:,} rows: the condition holds for {cost.share:.3%} of the generator's rows; about "
                f"{cost.seconds:,.1f} s once it is their turn, and {size_in_words(cost.size_bytes)} as Parquet",
                soft_wrap=True,
            )
            return
        with console.status("asking") as status:
            sample = draw_sample(
                client, history, signed, request, out, lambda progress: status.update(_standing(progress))
            )
    said = sample.statement.statement
    console.print(f"{said.rows:,} rows, {size_in_words(said.size_bytes)}; signed by the coordinator alone")
    privacy = signed.manifest.protection.privacy
    more = "" if privacy == "none" else " Drawing rows costs nothing more."
    console.print(f"{headline(privacy)}{more}", soft_wrap=True)
    console.print(f"cite sample {said.digest} of {plain(name)} version {chosen}", soft_wrap=True)


def _standing(progress: "SampleProgress") -> str:
    if progress.place:
        return f"number {progress.place} in the queue, about {progress.expected_seconds:,.0f} s"
    return f"{progress.rows_done:,} of {progress.rows:,} rows, about {progress.expected_seconds:,.0f} s more"


def _format(out: Path) -> str:
    for ending in ("parquet", "csv.gz", "csv"):
        if out.name.endswith(f".{ending}"):
            return ending
    raise InputError(f"{out} ends in none of .parquet, .csv, .csv.gz; name the file by its format")


def _balanced(schema: "Schema", texts: list[str]) -> dict[str, dict[str, float] | None]:
    if not texts:
        return {}
    from headwater.generator.balancing import read_shares

    shares = read_shares(schema, texts)
    return {
        name: None if part is None else {str(value or ""): share for value, share in part.items()}
        for name, part in shares.items()
    }
