"""All durable records of one organisation, in one file."""

from pathlib import Path

from headwater_client.store.agreements import AGREEMENT_TABLES, Agreements
from headwater_client.store.attacked import ATTACKED_TABLES, AttackedRecords
from headwater_client.store.canaries import CANARY_TABLES, OPENING_TABLES, CanaryRecords
from headwater_client.store.chains import CHAIN_TABLES, Chains
from headwater_client.store.charters import CHARTER_TABLES, CharterRecords
from headwater_client.store.cohorts import COHORT_TABLES, CohortRecords
from headwater_client.store.ledger import LEDGER_TABLES, LedgerRecords
from headwater_client.store.sessions import SESSION_TABLES, Sessions

__all__ = ["Store"]

_BEFORE_LEDGER = 4
"""The format of files that have no ledger yet."""

_BEFORE_CANARIES = 5
"""The format of files that keep no secret of canaries yet."""

_BEFORE_OPENINGS = 6
"""The format of files that do not keep which secrets were opened."""


_BEFORE_ATTACKED = 7
"""The format of files that do not keep which candidate was attacked, nor attempts that were seen."""


class Store(CharterRecords, Agreements, Sessions, Chains, CohortRecords, LedgerRecords, CanaryRecords, AttackedRecords):
    """state.db of one organisation. Safe for use from several threads.

    Guarantee: when a method returns, its change is on the disk; when it raises, nothing changed.
    """

    def __init__(self, file: Path) -> None:
        """Open or create the database.

        Raises:
            StorageError: the file cannot be opened, or has another format.
        """
        tables = CHARTER_TABLES + AGREEMENT_TABLES + SESSION_TABLES + CHAIN_TABLES + COHORT_TABLES + LEDGER_TABLES
        additions = {
            _BEFORE_LEDGER: LEDGER_TABLES,
            _BEFORE_CANARIES: CANARY_TABLES,
            _BEFORE_OPENINGS: OPENING_TABLES,
            _BEFORE_ATTACKED: ATTACKED_TABLES,
        }
        super().__init__(file, tables + CANARY_TABLES + OPENING_TABLES + ATTACKED_TABLES, additions)
