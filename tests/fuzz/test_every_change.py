"""Descriptions changed in one place, every place and every value in turn: what chance may miss is gone through."""

import json
from typing import Any

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.canonical import canonical_json
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.release.privacy_claim import PrivacyClaim
from headwater.schema import Schema
from support.claims import make_claim
from support.fuzzing import seeds
from support.fuzzing.damage import every_change, json_bytes
from support.fuzzing.parsers import check_document, check_task
from support.pictures import PICTURES
from support.private import private_plan
from support.recipes import SCHEMA


def written(document: dict[str, Any]) -> tuple[bytes, bytes]:
    """A schema and an encoding, read and written again."""
    schema = Schema.from_document(document["schema"])
    encoding = Encoding.from_document(schema, document["encoding"])
    return canonical_json(schema.to_document()), canonical_json(encoding.to_document())


def test_an_encoding_with_one_change_is_refused_or_can_be_written() -> None:
    settings = EncodingSettings(grid_cells=64)
    counts = np.arange(Histograms.of(SCHEMA, settings).length, dtype=np.int64) % 7
    encoding = Encoding.fit(SCHEMA, counts, settings)
    taken = 0
    for changed in every_change({"schema": SCHEMA.to_document(), "encoding": encoding.to_document()}):
        try:
            document = json.loads(json_bytes(changed))
            Encoding.from_document(Schema.from_document(document["schema"]), document["encoding"])
        except (InputError, ValueError, KeyError, TypeError):
            continue
        taken += 1
        schema, found = written(document)
        assert written({"schema": json.loads(schema), "encoding": json.loads(found)}) == (schema, found)
    assert taken


def test_a_schema_of_pictures_with_one_change_is_refused_or_can_be_written() -> None:
    taken = 0
    for changed in every_change(PICTURES.to_document()):
        try:
            schema = Schema.from_document(json.loads(json_bytes(changed)))
        except (InputError, ValueError):
            continue
        taken += 1
        assert Schema.from_document(json.loads(canonical_json(schema.to_document()))) == schema
    assert taken


DOCUMENTS = (
    "Charter",
    "Invitation",
    "Plan",
    "SignedApproval",
    "SignedCharter",
    "SignedLedger",
    "SignedManifest",
    "SignedProposal",
    "SignedWithdrawal",
)


def test_every_agreed_document_is_gone_through() -> None:
    assert sorted(kind.__name__ for kind in seeds.documents()) == sorted(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_agreed_document_with_one_change_is_refused_or_has_one_spelling(name: str) -> None:
    ((kind, data),) = ((kind, data) for kind, data in seeds.documents().items() if kind.__name__ == name)
    for changed in every_change(json.loads(data)):
        check_document(kind, json_bytes(changed))


def test_a_plan_under_a_budget_with_one_change_is_refused_or_has_one_spelling() -> None:
    for changed in every_change(json.loads(private_plan(1.0, retries=1).to_bytes())):
        check_document(Plan, json_bytes(changed))


def test_a_privacy_claim_with_one_change_is_refused_or_has_one_spelling() -> None:
    for changed in every_change(json.loads(make_claim().to_bytes())):
        check_document(PrivacyClaim, json_bytes(changed))


def test_a_task_with_one_change_is_refused_or_has_one_spelling() -> None:
    for task in seeds.tasks():
        for changed in every_change(json.loads(task)):
            check_task(json_bytes(changed))
