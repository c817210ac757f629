"""What the coordinator keeps: SQL for state, a folder of blobs by digest, a spool for uploads on their way."""

from headwater_server.storage.blobs import BlobStore
from headwater_server.storage.port import RoundEntry, RunState, Storage
from headwater_server.storage.spool import DiskSpool
from headwater_server.storage.sql import SqlStorage

__all__ = ["BlobStore", "DiskSpool", "RoundEntry", "RunState", "SqlStorage", "Storage"]
