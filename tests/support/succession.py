"""Versions of a charter that follow each other, signed by whoever a test says."""

from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.signing import public_key_hex

__all__ = ["following", "members_of", "signed_by"]


def members_of(keys: Mapping[str, Ed25519PrivateKey]) -> tuple[Member, ...]:
    """Members with these keys, sorted."""
    return tuple(
        Member(id=name, name=name.upper(), identity_key=public_key_hex(key)) for name, key in sorted(keys.items())
    )


def following(former: Charter, keys: Mapping[str, Ed25519PrivateKey] | None = None, **changes: Any) -> Charter:
    """The next version, unsigned.

    Args:
        former: the version before.
        keys: the new version's members; those of `former` by default.
        changes: entries that differ from `former`'s.
    """
    content = former.model_dump() | {"version": former.version + 1, "previous": former.digest}
    if keys is not None:
        content["members"] = members_of(keys)
    return Charter.model_validate(content | changes)


def signed_by(
    charter: Charter,
    coordinator: Ed25519PrivateKey,
    keys: Mapping[str, Ed25519PrivateKey],
    *,
    former_keys: Mapping[str, Ed25519PrivateKey] | None = None,
    former_coordinator: Ed25519PrivateKey | None = None,
    without: Iterable[str] = (),
) -> SignedCharter:
    """The charter with the coordinator's signature, and that of each key given.

    Args:
        charter: any version.
        coordinator: its coordinator's key.
        keys: signers by their keys of this version.
        former_keys: signers by their keys of the version before.
        former_coordinator: where the coordinator's key changed.
        without: ids among `keys` that do not sign.
    """
    return SignedCharter(
        charter=charter,
        coordinator_signature=charter.signed_by(coordinator),
        signatures={name: charter.signed_by(key) for name, key in keys.items() if name not in set(without)},
        former_coordinator_signature=None if former_coordinator is None else charter.signed_by(former_coordinator),
        former_signatures={name: charter.signed_by(key) for name, key in (former_keys or {}).items()},
    )
