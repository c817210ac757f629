"""What a release gives beside its audited rows: asked for by the operator, within what plan and policy allow."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from headwater.agreement.generator_terms import GeneratorTerms, within
from headwater.agreement.plan import Plan
from headwater.errors import InputError, ReleaseRefused
from headwater.generator.balancing import Shares
from headwater.generator.bundle import Bundle
from headwater.generator.table_generator import RowReader, RowRequest
from headwater.release import ReleaseExtras
from headwater.release.generator_check import most_terms
from headwater.release.large import MOST_SHARDS
from headwater.release.manifest import Configuration
from headwater.release.policy import Policy
from headwater.schema.table import Table
from headwater_server.releasing.large import draw_large
from headwater_server.sampling.sharding import Engine
from headwater_server.sampling.shards import SHARD_ROWS
from headwater_server.sampling.source import bundle_folder
from headwater_server.settings import CoordinatorHome

__all__ = ["ExtrasRequest", "agreed_terms", "draw_extras"]

_CONFIGURATION_ROWS = 1_000_000
"""Rows of a configuration at most, all in memory at once; more of them a reader draws, or has drawn, by number."""


@dataclass(frozen=True)
class ExtrasRequest:
    """What the operator asks for beside the rows.

    Raises:
        InputError: very many rows would be in too many files.

    Attributes:
        generator: what readers may have of it; None for what the plan says.
        balanced: columns whose values shall have equal, or given, shares in a configuration; none makes none.
        views: rows of a group of the other configuration; 1 makes none.
        view_std: how far views lie from their group's anchor.
        rows: of each of these configurations; None for as many as the release has, whole groups.
        large_rows: very many rows, in a configuration of their own; 0 for none.
        shard_rows: of each of its files.
        engine: what draws them.
        workers: processes of the engine "ray".
    """

    generator: GeneratorTerms | None = None
    balanced: Shares = field(default_factory=dict)
    views: int = 1
    view_std: float = 0.2
    rows: int | None = None
    large_rows: int = 0
    shard_rows: int = SHARD_ROWS
    engine: Engine = "local"
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse what no manifest could list, before an attempt is logged."""
        if -(-self.large_rows // self.shard_rows) > MOST_SHARDS:
            raise InputError(
                f"--large-rows {self.large_rows:,} would be more than {MOST_SHARDS:,} files; say a larger --shard-rows "
                f"than {self.shard_rows:,}"
            )

    @property
    def draws(self) -> bool:
        """Whether there are rows to draw."""
        return self.in_memory or self.large_rows > 0

    @property
    def in_memory(self) -> bool:
        """Whether there are rows to draw that are held in memory at once."""
        return bool(self.balanced) or self.views != 1


def agreed_terms(request: ExtrasRequest, plan: Plan, policy: Policy) -> GeneratorTerms:
    """What a release gives of its generator.

    Args:
        request: of the operator.
        plan: that every organisation approved.
        policy: that judges the rows.

    Raises:
        ReleaseRefused: it is more than the plan or the policy allows, or rows are asked for of a generator that is
            kept.
    """
    terms = plan.release.generator if request.generator is None else request.generator
    if not within(terms, plan.release.generator):
        raise ReleaseRefused(
            f"the organisations approved a plan whose generator is {plan.release.generator}, {terms} is more; release "
            "it as that, or propose a plan that says so"
        )
    most = most_terms(policy, private=plan.privacy != "none")
    if not within(terms, most):
        raise ReleaseRefused(
            f"policy {policy.label} lets the generator of this run be at most {most}, {terms} is more; say --generator "
            f"{most.replace(' ', '-')}"
        )
    if request.draws and terms == "kept":
        raise ReleaseRefused(
            "balanced rows, views and very many rows are more rows of a generator that is kept, and nobody attacked "
            'them; leave them out, or propose a plan with a budget and release.generator = "on request"'
        )
    return terms


def draw_extras(
    home: CoordinatorHome,
    run_id: str,
    digest: str,
    request: ExtrasRequest,
    terms: GeneratorTerms,
    rows: int,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> ReleaseExtras:
    """Draw the configurations and find the bundle; nothing is read where nothing is given.

    Args:
        home: of the coordinator.
        run_id: of the run.
        digest: of its generator, as the run's result says.
        request: of the operator.
        terms: of `agreed_terms`.
        rows: of the release.
        on_rows: told how many of very many rows there are so far.

    Raises:
        InputError: the generator cannot draw what is asked for, or was altered.
        ReleaseRefused: the bundle holds more than a generator.
        StorageError: very many rows could not be drawn to the end; again, what is there is gone on with.
    """
    if terms == "kept":
        return ReleaseExtras()
    folder = bundle_folder(home, run_id)
    bundle = Bundle.load(folder, digest)
    # Written anew from what was read it has the same bytes: it hides nothing, such as an optimiser's state.
    if bundle.digest != digest:
        raise ReleaseRefused("the run's bundle holds more than a generator and its encoding; run the plan again")
    wanted = rows if request.rows is None else request.rows
    if request.in_memory and wanted > _CONFIGURATION_ROWS:
        if request.rows is not None:
            raise InputError(
                f"--configuration-rows is {wanted:,}, at most {_CONFIGURATION_ROWS:,} are drawn; say fewer"
            )
        wanted = _CONFIGURATION_ROWS
    drawn: list[tuple[Configuration, Table | pa.Table | Path]] = []
    if request.balanced:
        drawn.append(_balanced(bundle, request, wanted))
    if request.views != 1:
        drawn.append(_views(bundle, request, wanted))
    if request.large_rows:
        drawn.append(
            draw_large(
                home,
                run_id,
                folder,
                digest,
                request.large_rows,
                request.shard_rows,
                engine=request.engine,
                workers=request.workers,
                on_rows=on_rows,
            )
        )
    return ReleaseExtras(tuple(drawn), folder if terms == "released" else None, terms)


def _balanced(bundle: Bundle, request: ExtrasRequest, rows: int) -> tuple[Configuration, pa.Table]:
    reader, table = _drawn(bundle, RowRequest(balanced=request.balanced), rows)
    equal = [name for name, shares in request.balanced.items() if shares is None]
    given = [name for name, shares in request.balanced.items() if shares is not None]
    what = [f"{' and '.join(names)} in {how} shares" for names, how in ((equal, "equal"), (given, "given")) if names]
    left = f" {reader.left_out:.2%} of the generator's rows are in classes left out." if reader.left_out else ""
    exact = "estimated" if reader.estimated else "exact"
    said = (
        f"Rows of the same generator with {', '.join(what)}: for training where a class is rare. Means weighted by "
        f"the column {table.column_names[-1]}, {exact}, are the generator's own.{left}"
    )
    return _configuration("balanced", table, said)


def _views(bundle: Bundle, request: ExtrasRequest, rows: int) -> tuple[Configuration, pa.Table]:
    groups = max(1, rows // request.views)
    _, table = _drawn(bundle, RowRequest(views=request.views, view_std=request.view_std), groups * request.views)
    group, view = table.column_names[-2:]
    said = (
        f"Groups of {request.views} rows of the same generator from neighbouring latents, {request.view_std:g} apart: "
        f"for contrastive learning. {group} says which belong together, {view} 0 is a group's first."
    )
    return _configuration("views", table, said)


def _configuration(name: str, table: pa.Table, said: str) -> tuple[Configuration, pa.Table]:
    entry = {"name": name, "path": f"{name}/data.parquet", "rows": table.num_rows, "description": said[:1000]}
    return Configuration.model_validate(entry), table


def _drawn(bundle: Bundle, request: RowRequest, rows: int) -> tuple[RowReader, pa.Table]:
    reader = RowReader(bundle.sampler, bundle.encoding, request)
    # Nobody can know the seed before: under a budget whatever is drawn is post-processing.
    parts = [part.to_arrow() for part in reader.first(rows, secrets.randbits(53))]
    return reader, pa.concat_tables(parts).combine_chunks()
