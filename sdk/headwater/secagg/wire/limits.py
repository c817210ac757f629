"""The largest session that messages have room for, and what a transport may send as one."""

__all__ = ["MAXIMUM_LENGTH", "MAXIMUM_MEMBERS", "MAXIMUM_TOGETHER", "TOGETHER_BYTES"]

MAXIMUM_MEMBERS = 1024
"""Members that one charter may have; bounds every list read from the wire (protocol 5)."""

MAXIMUM_LENGTH = 2**28
"""Values that one vector may have: 1 GiB in the ring of 32 bits, 2 GiB in that of 64."""

TOGETHER_BYTES = 2**20 + 2**18
"""Messages that wait for a connection go together up to here: a chunk, and small messages behind it."""

MAXIMUM_TOGETHER = 256
"""Messages that may come together: without it, one delivery could hold two million empty ones."""
