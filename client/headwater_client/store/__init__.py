"""The organisation's durable records: what protocol 3.5 and 4.10 let outlive a process, and nothing else."""

from headwater_client.store.agreements import StoredDecision
from headwater_client.store.chains import StoredChain
from headwater_client.store.cohorts import Allowance, StoredCohort, Trust
from headwater_client.store.store import Store

__all__ = ["Allowance", "Store", "StoredChain", "StoredCohort", "StoredDecision", "Trust"]
