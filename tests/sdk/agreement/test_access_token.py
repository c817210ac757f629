"""Tokens of researchers: random, recognisable, and caught when they are mistyped."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.agreement.access_token import PREFIX, is_well_formed, new_access_token, token_digest
from headwater.canonical import sha256_hex

TOKEN = new_access_token()
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_tokens_are_what_a_scanner_looks_for_and_differ() -> None:
    made = {new_access_token() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"hw_[0-9A-Za-z]{49}", token) and is_well_formed(token) for token in made)


@given(st.integers(len(PREFIX), len(TOKEN) - 1), st.sampled_from(DIGITS))
def test_one_wrong_character_is_caught(position: int, digit: str) -> None:
    typed = TOKEN[:position] + digit + TOKEN[position + 1 :]
    assert is_well_formed(typed) == (typed == TOKEN)


@given(st.integers(len(PREFIX), len(TOKEN) - 2))
def test_two_swapped_characters_are_caught(position: int) -> None:
    typed = TOKEN[:position] + TOKEN[position + 1] + TOKEN[position] + TOKEN[position + 2 :]
    assert is_well_formed(typed) == (typed == TOKEN)


@pytest.mark.parametrize(
    "typed",
    ["", "hw_", TOKEN[:-1], f"{TOKEN}0", TOKEN[3:], f" {TOKEN}", f"{TOKEN}\n", "hw_" + "é" * 49],
    # A random token in a test's name would give every process tests of its own.
    ids=["empty", "prefix", "cut", "longer", "bare", "space", "line", "letters"],
)
def test_what_is_no_whole_token_is_caught(typed: str) -> None:
    assert not is_well_formed(typed)


def test_the_digest_is_of_the_whole_token() -> None:
    assert token_digest(TOKEN) == sha256_hex(TOKEN.encode())
    assert len(token_digest("\udcff")) == 64
