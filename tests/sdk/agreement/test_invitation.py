"""Invitation tokens: one spelling, and one clear line for whatever else was pasted."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.agreement.invitation import Invitation
from headwater.errors import InputError

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=50)


def _invitation(**changes: object) -> Invitation:
    content = {
        "host": "coordinator.example",
        "port": 9444,
        "ca_sha256": "ab" * 32,
        "member_id": "org-1",
        "name": "Clinic One",
        "secret": "0123456789abcdef" * 4,
    }
    return Invitation.model_validate({**content, **changes})


def _token_of(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@given(NAMES, st.integers(1, 65535), st.sampled_from(["127.0.0.1", "::1", "a", "x-1.example.org", "2001:db8::"]))
def test_a_token_gives_its_invitation_back(name: str, port: int, host: str) -> None:
    invitation = Invitation.create(host=host, port=port, ca_sha256="cd" * 32, member_id="org-2", name=name)
    assert Invitation.from_token(invitation.to_token()) == invitation


def test_line_breaks_of_a_mail_program_do_not_matter() -> None:
    token = _invitation().to_token()
    wrapped = "\r\n  ".join(token[start : start + 40] for start in range(0, len(token), 40)) + "\n"
    assert Invitation.from_token(wrapped) == _invitation()


def test_every_shortened_token_is_refused() -> None:
    token = _invitation().to_token()
    for length in range(len(token)):
        with pytest.raises(InputError, match="token"):
            Invitation.from_token(token[:length])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "hello",
        "é" * 40,
        "A" * 5000,
        "eyJ!",
        _token_of([1]),
        _token_of({"version": 1}),
        _token_of(json.loads(_invitation().to_bytes()) | {"extra": 1}),
        _token_of(json.loads(_invitation().to_bytes()) | {"version": 2}),
        _token_of(json.loads(_invitation().to_bytes()) | {"port": 0}),
        _token_of(json.loads(_invitation().to_bytes()) | {"host": "https://coordinator.example/"}),
        _token_of(json.loads(_invitation().to_bytes()) | {"member_id": "../org"}),
        _token_of(json.loads(_invitation().to_bytes()) | {"name": "two\nlines"}),
        _token_of(json.loads(_invitation().to_bytes()) | {"secret": "short"}),
        # The same content in another form than the canonical one.
        _token_of(json.loads(_invitation().to_bytes())),
    ],
)
def test_what_is_no_token_gives_one_line_that_does_not_repeat_it(token: str) -> None:
    with pytest.raises(InputError) as caught:
        Invitation.from_token(token)
    line = str(caught.value)
    assert "\n" not in line
    assert "ask the operator for it again" in line
    assert _invitation().secret not in line
    assert not token or token not in line


def test_a_second_spelling_of_the_last_character_is_refused() -> None:
    token = next(
        text for text in (_invitation(name="x" * length).to_token() for length in range(1, 5)) if len(text) % 4 == 3
    )
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    with pytest.raises(InputError, match="garbled at its end"):
        Invitation.from_token(other)


def test_the_secret_stands_in_no_repr() -> None:
    invitation = _invitation()
    assert invitation.secret not in repr(invitation)
    assert invitation.secret not in str(invitation)


def test_two_invitations_never_share_a_secret() -> None:
    made = [Invitation.create(host="h", port=1, ca_sha256="ab" * 32, member_id="org-1", name="N") for _ in range(20)]
    assert len({invitation.secret for invitation in made}) == 20
    assert len({invitation.secret_sha256 for invitation in made}) == 20
    assert all(len(bytes.fromhex(invitation.secret)) == 32 for invitation in made)


def test_an_unusable_member_id_is_named() -> None:
    with pytest.raises(InputError, match="'Org 1'"):
        Invitation.create(host="h", port=1, ca_sha256="ab" * 32, member_id="Org 1", name="N")
