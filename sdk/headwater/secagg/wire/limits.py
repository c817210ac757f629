"""The largest session that messages have room for."""

__all__ = ["MAXIMUM_LENGTH", "MAXIMUM_MEMBERS"]

MAXIMUM_MEMBERS = 1024
"""Members that one charter may have; bounds every list read from the wire (protocol 5)."""

MAXIMUM_LENGTH = 2**28
"""Values that one vector may have: 1 GiB in the ring of 32 bits, 2 GiB in that of 64."""
