"""The plan: everything that a run does, in one document with one digest."""

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import tomlkit
from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from headwater.agreement.differencing import MembershipChange, protection_words
from headwater.agreement.documents import Document, HexDigest, first_problem
from headwater.agreement.generator_terms import ReleaseTerms, terms_problem
from headwater.errors import InputError
from headwater.evidence.candidate_file import most_rows
from headwater.evidence.terms import AuditTerms
from headwater.privacy.budget import Budget
from headwater.recipe.settings import PRIVATE_KINDS, RecipeSettings, SplitShares
from headwater.recipe.vectors import longest_run
from headwater.schema import BooleanColumn, CategoricalColumn, Schema
from headwater.secagg.crypto.ring import RING_BITS, RingBits
from headwater.toml_array import toml_array

__all__ = ["AggregationTerms", "Plan", "plan_name"]


class AggregationTerms(Document):
    """The terms of secure aggregation (protocol 1.2, 4.9, 4.10).

    Attributes:
        minimum_cohort: least number of organisations in a sum.
        colluders: members who may collude with the coordinator; "c" in protocol 1.2.
        retries: rounds that may be aborted and tried again in one run.
        setup_seconds: how long the session's setup waits for members.
        round_seconds: how long one trip of a round waits for its slowest member, local training included.
        ring_bits: bits of each value under masks; 64 where 32 leave the plan's values no head-room (protocol 2.2).
        on_membership_change: what a sum over other organisations than before means (protocol 4.10 iii). "strict":
            each organisation refuses it, in this run and in later ones. "continue": the run goes on, and its results
            say "no protection against differencing". The word is required, there is no default.
    """

    minimum_cohort: int = Field(default=3, ge=3, le=1000)
    colluders: int = Field(default=1, ge=1, le=1000)
    retries: int = Field(default=5, ge=0, le=100)
    setup_seconds: float = Field(default=60.0, gt=0, le=86_400)
    round_seconds: float = Field(default=120.0, gt=0, le=86_400)
    ring_bits: RingBits = RING_BITS
    on_membership_change: MembershipChange

    @property
    def protection(self) -> str:
        """What results and progress say of a run under these terms."""
        return protection_words(self.on_membership_change)


def _budget_or_none(value: object) -> str:
    return "none" if isinstance(value, str) else "budget"


def _terms_or_none(value: object) -> str:
    return "none" if isinstance(value, str) else "terms"


# Told apart first, so that a problem of a budget is told and not that it is no "none".
Privacy = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[Budget, Tag("budget")], Discriminator(_budget_or_none)
]
Audit = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[AuditTerms, Tag("terms")], Discriminator(_terms_or_none)
]


class Plan(Document):
    """Everything a run does. Two plans with one digest do the same.

    Attributes:
        schema_: columns with public bounds and categories; `schema` in TOML and JSON.
        recipe: what is asked round by round.
        aggregation: the terms of secure aggregation.
        privacy: "none", or the budget that the run may spend: the word is required, there is no default.
        audit: "none", or how the result is attacked before it may be released. Left out of the document where it is
            "none", so that plans of before keep their digest.
        release: what may leave beside the audited rows. Left out of the document where nothing may, for the same
            reason.
        splits: shares of each organisation's rows.
        rows: synthetic rows to sample; 0 samples as many as the organisations' training rows together, under a budget
            as their noisy counts estimate, and with an audit no more than it reads. Under a budget the true number
            has no place here: it would be a count without noise.
        seed: public seed of every random draw that is not a secret.
        stub_sha256: digest of the one Flower bundle that organisations run (flower.md).
    """

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    schema_: Schema = Field(alias="schema")
    recipe: RecipeSettings = Field(default_factory=RecipeSettings)
    aggregation: AggregationTerms
    privacy: Privacy
    audit: Audit = "none"
    release: ReleaseTerms = Field(default_factory=ReleaseTerms)
    splits: SplitShares = Field(default_factory=SplitShares)
    rows: int = Field(default=0, ge=0, le=1_000_000_000)
    seed: int = Field(default=0, ge=0, lt=2**53)
    stub_sha256: HexDigest

    @model_validator(mode="after")
    def _private_recipe(self) -> Self:
        if isinstance(self.privacy, Budget):
            if self.recipe.kind not in PRIVATE_KINDS:
                raise ValueError(
                    f"the recipe {self.recipe.kind} has no form under a privacy budget; say recipe.kind = "
                    f'"{PRIVATE_KINDS[0]}", or privacy = "none"'
                )
            if self.schema_.images:
                raise ValueError('pictures have no recipe under a privacy budget; leave them out, or say "none"')
        return self

    @model_validator(mode="after")
    def _auditable(self) -> Self:
        if self.audit == "none":
            return self
        if self.schema_.images:
            raise ValueError('pictures have no audit; say audit = "none"')
        if not self.splits.audit:
            raise ValueError(
                "an audit compares with rows that nothing used, and splits.audit keeps none aside; keep 0.05, or say "
                'audit = "none"'
            )
        if self.rows > (most := most_rows(self.schema_)):
            raise ValueError(f"an audit reads at most {most:,} rows of this schema, rows is {self.rows:,}; plan fewer")
        settings, columns = self.audit.settings, {column.name: column for column in self.schema_.columns}
        for named, names in (("groups", settings.groups), ("secrets", settings.secrets), ("tasks", settings.tasks)):
            if unknown := [name for name in names if name not in columns]:
                raise ValueError(f"audit.settings.{named} names {unknown[0]!r}, which is no column of the schema")
        for name in settings.groups:
            if not isinstance(columns[name], BooleanColumn | CategoricalColumn):
                raise ValueError(f"audit.settings.groups names {name!r}, which has no categories; name one that has")
        return self

    @model_validator(mode="after")
    def _releasable(self) -> Self:
        if problem := terms_problem(self.release, self.privacy, self.audit):
            raise ValueError(problem)
        return self

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialize(self)
        if self.audit == "none":
            del document["audit"]
        if self.release == ReleaseTerms():
            del document["release"]
        return document

    @field_validator("schema_", mode="before")
    @classmethod
    def _read_schema(cls, value: object) -> object:
        return Schema.from_document(value) if isinstance(value, dict) else value

    @field_serializer("schema_")
    def _write_schema(self, schema: Schema) -> dict[str, object]:
        return schema.to_document()

    @property
    def ring_bits(self) -> RingBits:
        """The ring that vectors are summed in (protocol 2.1)."""
        return self.aggregation.ring_bits

    @property
    def colluders(self) -> int:
        """Members that may collude with the coordinator (protocol 1.2)."""
        return self.aggregation.colluders

    @property
    def one_cohort(self) -> bool:
        """Whether all sums of a run are over the same organisations (protocol 4.10 iii)."""
        return self.aggregation.on_membership_change == "strict"

    @property
    def canaries(self) -> int:
        """Rows that are planted, over all organisations; 0 where nothing is audited."""
        return 0 if self.audit == "none" else self.audit.settings.canaries

    @property
    def maximum_rounds(self) -> int:
        """Most secure sums that a run of this plan may ask for, retries included (protocol 4.2)."""
        return longest_run(self) + self.aggregation.retries

    @property
    def paid_repeats(self) -> int:
        """Aborted sums that may be tried again: as many as the budget pays for, if there is one."""
        retries = self.aggregation.retries
        return retries if self.privacy == "none" else min(self.privacy.retries, retries)

    @property
    def paid_rounds(self) -> int:
        """Most secure sums that it may come to, with no more repeats than are paid for."""
        return longest_run(self) + self.paid_repeats

    def to_toml(self) -> str:
        """The plan as TOML for people; `from_toml` reads it back to the same digest."""
        document = {key: _without_none(value) for key, value in self.model_dump(mode="json", by_alias=True).items()}
        # A person reads that there is none, where the digest leaves it out.
        document.setdefault("audit", "none")
        document.setdefault("release", ReleaseTerms().model_dump(mode="json"))
        # The schema is the longest part; a person reads the rest first.
        document["schema"] = document.pop("schema")
        return tomlkit.dumps(document)

    @classmethod
    def from_toml(cls, text: str) -> "Plan":
        """Read a plan from TOML.

        Raises:
            InputError: not TOML, or not a plan; the line says which entry is wrong.
        """
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            # Besides its own error, the parser raises these for a number of 5,000 digits and for nesting too deep.
            raise InputError(f"the plan is not TOML: {error}") from error
        return cls.from_values(document)

    @classmethod
    def from_values(cls, document: Mapping[str, object]) -> "Plan":
        """Read a plan from the values of a TOML or JSON document.

        Raises:
            InputError: not a plan; the line says which entry is wrong.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InputError(f"the plan is not valid: {first_problem(error)}") from error


def plan_name(text: str) -> str:
    """The name of a plan that is made from something with this name; "plan" where nothing of it can stand in one."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64] or "plan"


def _without_none(value: object) -> object:
    # TOML has no null: what is None is left out, and read back as the default, which is None.
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        entries = [_without_none(entry) for entry in value]
        return entries if any(isinstance(entry, dict | list) for entry in entries) else toml_array(entries)
    return value
