"""What the coordinator keeps: SQL for state, a folder of blobs by digest."""

from headwater_server.storage.blobs import BlobStore
from headwater_server.storage.port import RoundEntry, RunState, Storage
from headwater_server.storage.sql import SqlStorage

__all__ = ["BlobStore", "RoundEntry", "RunState", "SqlStorage", "Storage"]
