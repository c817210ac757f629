"""The head of the privacy ledger in a file of its own: it tells a ledger that was cut short or set back."""

import json
import re
from pathlib import Path

from headwater.agreement.ledger import LEDGER_GENESIS, LedgerEntry
from headwater.canonical import canonical_json
from headwater.errors import StorageError
from headwater_client.settings import write_text_atomically

__all__ = ["LedgerHead"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class LedgerHead:
    """ledger.head: how many entries the ledger has, and the digest of the last one."""

    def __init__(self, file: Path) -> None:
        """Use this file; it is made before the first entry."""
        self.file = file

    def read(self) -> tuple[int, str] | None:
        """Number of entries and digest of the last; None where there is no file.

        Raises:
            StorageError: it cannot be read, or is no head of a ledger.
        """
        try:
            document = json.loads(self.file.read_bytes())
            length, digest = document["length"], document["digest"]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self.file} cannot be read ({error.strerror}); mend its permissions") from error
        except (ValueError, RecursionError, TypeError, KeyError) as error:
            raise self._spoilt() from error
        if type(length) is not int or length < 0 or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise self._spoilt()
        return length, digest

    def write(self, last: LedgerEntry | None) -> None:
        """Name the last entry, durably; None before the first.

        Raises:
            StorageError: the disk is full or the folder is not writable.
        """
        length, digest = (0, LEDGER_GENESIS) if last is None else (last.position, last.digest)
        write_text_atomically(self.file, canonical_json({"length": length, "digest": digest}).decode() + "\n")

    def _spoilt(self) -> StorageError:
        return StorageError(
            f"{self.file} is no head of a privacy ledger; restore the newest backup of the whole folder, and take no "
            "part before"
        )
