"""One organisation's folder, opened: its settings, keys, policy and records."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.rpc.certificates import load_certificate, sha256_of
from headwater_client.keystore import KeyStore
from headwater_client.policy import Policy
from headwater_client.settings import Home, OrganisationSettings, read_text
from headwater_client.store import Store
from headwater_client.transport.channel import CoordinatorChannel, Identity
from headwater_client.transport.diagnosis import Endpoint

__all__ = ["Membership"]


@dataclass(frozen=True, slots=True)
class Membership:
    """What every part of the agent works with.

    Attributes:
        home: where the files are.
        settings: as read when the folder was opened.
        keys: the key files.
        store: the durable records.
    """

    home: Home
    settings: OrganisationSettings
    keys: KeyStore
    store: Store

    @classmethod
    def open(cls, folder: Path) -> "Membership":
        """Open an enrolled organisation's folder.

        Raises:
            InputError: nobody enrolled there, or settings.toml or policy.toml is wrong.
            StorageError: the records cannot be opened.
        """
        home = Home(folder)
        settings = OrganisationSettings.from_toml(read_text(home.settings))
        membership = cls(home, settings, KeyStore(home.keys), Store(home.database))
        membership.policy()
        return membership

    @property
    def member_id(self) -> str:
        """This organisation in the charter."""
        return self.settings.member_id

    def policy(self) -> Policy:
        """policy.toml as it is now: a person may change it while the agent runs.

        Raises:
            InputError: it is missing or wrong.
        """
        return Policy.from_toml(read_text(self.home.policy))

    def identity_key(self) -> Ed25519PrivateKey:
        """The key that signs for this organisation.

        Raises:
            InputError: the file is missing, readable by others, or no such key.
        """
        return self.keys.identity_key()

    def ca_digest(self) -> str:
        """SHA-256 of the CA certificate (DER) that this organisation enrolled under.

        Raises:
            InputError: the file is missing or no certificate.
        """
        return sha256_of(load_certificate(self.keys.ca_pem(), "the consortium's CA certificate (ca.crt)"))

    @contextmanager
    def channel(self) -> Iterator[CoordinatorChannel]:
        """A connection to the coordinator, closed at the end.

        Raises:
            InputError: a key or certificate file is missing or expired.
        """
        identity = Identity(self.keys.ca_pem(), self.keys.certificate_pem(), self.keys.tls_key_pem())
        endpoint = Endpoint(self.settings.members.host, self.settings.members.port)
        with CoordinatorChannel(endpoint, identity) as channel:
            yield channel
