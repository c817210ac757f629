"""Card and croissant.json are made again of every release; their words belong to the manifest's format."""

from pathlib import Path

import pytest

from headwater.canonical import sha256_hex
from headwater.errors import ReleaseRefused
from headwater.release import verify_release
from headwater.release.card import dataset_card
from headwater.release.croissant import croissant_of
from headwater.release.layout import CARD, CROISSANT
from headwater.release.manifest import NEWEST
from headwater.release.texts import check_texts
from headwater.release.writing import write_release
from support.audited_release import pending_release, sign_release
from support.releases import facts_on, make_consortium, make_table

TABLE = make_table()

# A change of card or croissant.json brings you here: published versions are made again with the new words and would be
# refused. Give NEWEST the next number first, then put the new digests here (docs/decisions/0036-texts-made-again.md).
WORDS = "headwater-release/5"
CARD_SHA256 = "a9bf3781fafa49c7b8b874c1dbffbd9c447e103c1edbe5514decd328baf4cd57"
CROISSANT_SHA256 = "ae55aaa636add5896911fe883493e41851788daa5795da8e7067401abfaf3573"


def test_words_change_with_the_number_of_the_format_alone() -> None:
    consortium = make_consortium()
    facts = facts_on(TABLE, consortium, refused_rounds=2, ended_on="rung", released="a mixture of 20 components")
    fixed = facts.provenance.model_copy(update={"charter_digest": "12" * 32})
    facts = facts.model_copy(update={"provenance": fixed})
    assert NEWEST == WORDS
    assert sha256_hex(dataset_card(facts, TABLE.schema, 500).encode()) == CARD_SHA256
    assert sha256_hex(croissant_of(facts, TABLE.schema, 500, [])) == CROISSANT_SHA256


def test_how_a_run_ended_is_signed_and_told_again(tmp_path: Path) -> None:
    consortium = make_consortium()
    facts = facts_on(TABLE, consortium, refused_rounds=2, ended_on="rung", released="a mixture | of 20 components")
    signed = write_release(tmp_path / "1", TABLE, facts, consortium.coordinator_key)
    verified = verify_release(tmp_path / "1", consortium.charter.charter).manifest
    assert (verified.format, verified.making) == (NEWEST, facts.making)
    assert "2 rounds of this run were not taken" in (tmp_path / "1" / CARD).read_text()
    other = signed.manifest.model_copy(update={"making": facts.making.model_copy(update={"refused_rounds": 0})})
    with pytest.raises(ReleaseRefused, match=r"README\.md says something else"):
        check_texts(other, TABLE.schema, None)


def test_an_audited_card_follows_from_its_audit(tmp_path: Path) -> None:
    consortium = make_consortium()
    pending = pending_release(tmp_path / "1", consortium)
    sign_release(pending, consortium)
    verified = verify_release(tmp_path / "1", consortium.charter.charter)
    assert verified.audit is not None
    with pytest.raises(ReleaseRefused, match=r"README\.md says something else"):
        check_texts(verified.manifest, TABLE.schema, None)


def test_words_of_an_earlier_format_are_not_made_again(tmp_path: Path) -> None:
    consortium = make_consortium()
    manifest = write_release(tmp_path / "1", TABLE, facts_on(TABLE, consortium), consortium.coordinator_key).manifest
    files = tuple(
        entry.model_copy(update={"sha256": "0" * 64}) if entry.path in (CARD, CROISSANT) else entry
        for entry in manifest.files
    )
    other = manifest.model_copy(update={"files": files})
    with pytest.raises(ReleaseRefused, match="says something else"):
        check_texts(other, TABLE.schema, None)
    check_texts(other.model_copy(update={"format": "headwater-release/1"}), TABLE.schema, None)
