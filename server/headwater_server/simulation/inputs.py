"""What a simulation starts from: the plan, the rows of each organisation, the rows that judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from headwater.agreement.plan import AggregationTerms, Plan, plan_name
from headwater.contribution.entities import clip_entities
from headwater.errors import InputError
from headwater.flower_bundle import bundle_sha256
from headwater.privacy.budget import Budget
from headwater.recipe.defaults import check_private, recipe_of, splits_of
from headwater.recipe.settings import RecipeKind
from headwater.schema import Schema
from headwater.schema.conform import Problem
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RING_BITS, check_headroom
from headwater_server.audit_option import audit_of
from headwater_server.drafting import draft_schema
from headwater_server.plan_file import read_plan, read_schema
from headwater_server.shared_table import SharedTable, check_most_rows, check_organisations, share_out
from headwater_server.simulation.overrides import override

__all__ = ["SimulationInputs", "read_inputs"]


@dataclass(frozen=True, eq=False)
class SimulationInputs:
    """Everything a simulation needs.

    Attributes:
        plan: as given, or the default one.
        schema_was_drafted: whether the schema's bounds and categories were read from the rows.
        train: rows that are shared out, as read.
        test: rows that nobody trains on, as read.
        parts: one table for each organisation.
        changes: what the schema clipped, rounded, mapped or ignored in the rows that are shared out.
        warnings: what the drafted schema may have taken wrongly, a line each.
    """

    plan: Plan
    schema_was_drafted: bool
    train: pa.Table
    test: pa.Table
    parts: tuple[Table, ...]
    changes: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def read_inputs(
    data: Path,
    target: str | None,
    organisations: int,
    how: str,
    *,
    plan_file: Path | None = None,
    schema_file: Path | None = None,
    recipe: RecipeKind | None = None,
    seed: int | None = None,
    changes: Sequence[str] = (),
    budget: Budget | None = None,
    entity: str | None = None,
    policy: str | None = None,
) -> SimulationInputs:
    """Read the table, hold out the judge's 20 % and share the rest out.

    Args:
        data: CSV, CSV.gz or Parquet.
        target: column to predict; None for the one that plan or schema mark, if any.
        organisations: how many, at least 3.
        how: a partition as `headwater.schema.partition` names them.
        plan_file: TOML; None for the default recipe.
        schema_file: TOML; None for the plan's schema, or one drafted from the rows where there is no plan.
        recipe: kind in place of the plan's, with the plan's numbers.
        seed: in place of the plan's.
        changes: settings in place of the plan's, as `overrides.override` reads them.
        budget: of privacy, in place of the plan's; the default plan under it is the private recipe's.
        entity: column that names whose each row is, and is no column of a schema read from the rows; needed where a
            budget protects entities.
        policy: of an audit in place of the plan's, "none" for no audit; None leaves the plan's.

    Raises:
        InputError: fewer than three organisations, a file that cannot be read, a table that breaks the schema, cells
            that are no numbers where a schema is read from numbers, another target than the schema's, a setting that no
            plan has, values that a sum over so many organisations has no room for, a budget that the recipe or the rows
            have no place in.
    """
    check_organisations(organisations)
    arrow = read_arrow(data)
    if target is not None and target not in arrow.column_names:
        raise InputError(f"there is no column {target!r} in {data.name}; say --target with one of its columns")
    if entity is not None and entity not in arrow.column_names:
        raise InputError(f"there is no column {entity!r} in {data.name} that could name whose each row is")
    plan, warnings = _agreed(arrow, target, organisations, data, plan_file, schema_file, budget, entity)
    if budget is not None:
        plan = plan.model_copy(update={"privacy": budget})
    if recipe is not None:
        plan = plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"kind": recipe})})
    if seed is not None:
        plan = plan.model_copy(update={"seed": seed})
    _check_entity(entity, plan.privacy)
    if plan.privacy != "none":
        check_private(plan.schema_, plan.recipe.kind)
    if policy is not None:
        audit = audit_of(policy, plan.schema_, private=plan.privacy != "none")
        plan = Plan.from_values(plan.model_dump(by_alias=True) | {"audit": audit})
    if changes:
        plan = override(plan, changes)
    _check_target(target, plan)
    check_headroom(plan.recipe.value_bits, organisations, ring_bits=plan.ring_bits)
    shared = share_out(arrow, plan.schema_, organisations, how)
    parts = _parts(shared, plan, entity)
    if plan.privacy != "none":
        check_most_rows(plan.privacy, plan.splits, parts)
    drafted = plan_file is None and schema_file is None
    return SimulationInputs(plan, drafted, shared.train, shared.test, parts, shared.changes, warnings)


def _agreed(
    arrow: pa.Table,
    target: str | None,
    organisations: int,
    data: Path,
    plan_file: Path | None,
    schema_file: Path | None,
    budget: Budget | None,
    entity: str | None,
) -> tuple[Plan, tuple[str, ...]]:
    """The plan that a file holds, or the default one for a schema; and what its schema's reader warns of."""
    if plan_file is not None:
        if schema_file is not None:
            raise InputError("a plan holds its schema; say --plan or --schema, not both")
        return read_plan(plan_file), ()
    if schema_file is not None:
        return _default_plan(read_schema(schema_file), organisations, budget), ()
    described = arrow if entity is None else arrow.drop_columns(entity)
    read = draft_schema(described, target, data.name.split(".")[0], data)
    return _default_plan(read.schema, organisations, budget), read.warnings


def _check_entity(entity: str | None, privacy: Literal["none"] | Budget) -> None:
    if entity is None or (privacy != "none" and privacy.unit == "entity"):
        return
    what = "no privacy budget is given" if privacy == "none" else "the budget protects single records"
    raise InputError(
        f"--entity {entity} names persons, and {what}; say --epsilon, --unit entity and --records, or leave "
        "--entity out"
    )


def _check_target(target: str | None, plan: Plan) -> None:
    marked = plan.schema_.target
    if target is not None and (marked is None or marked.name != target):
        found = "none" if marked is None else repr(marked.name)
        raise InputError(f"the target is {target!r}, the schema marks {found}; mark the same column in both")


def _parts(shared: SharedTable, plan: Plan, entity: str | None) -> tuple[Table, ...]:
    """Each organisation's rows; where persons are protected, no more of each than the budget pays for."""
    parts = tuple(shared.rows.take(rows) for rows in shared.parts)
    if plan.privacy == "none" or plan.privacy.unit == "record":
        return parts
    if entity is None:
        raise InputError(
            f"the budget protects entities with at most {plan.privacy.records} records each, and nothing says whose "
            "each row is; name the column with --entity"
        )
    named, most = shared.train.column(entity), plan.privacy.records
    return tuple(
        clip_entities(part, named.take(pa.array(rows)), most) for part, rows in zip(parts, shared.parts, strict=True)
    )


def _default_plan(schema: Schema, organisations: int, budget: Budget | None) -> Plan:
    # protocol 2.2: more organisations leave fewer bits to each value.
    bits = RING_BITS - 1 - (organisations - 1).bit_length()
    recipe = recipe_of(schema, private=budget is not None)
    return Plan(
        name=plan_name(schema.name),
        schema=schema,
        recipe=recipe.model_copy(update={"value_bits": min(recipe.value_bits, bits)}),
        # A simulation loses nobody: it is what a strict run comes to.
        aggregation=AggregationTerms(on_membership_change="strict"),
        privacy=budget or "none",
        splits=splits_of(private=budget is not None),
        stub_sha256=bundle_sha256(),
    )
