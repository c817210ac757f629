"""A stream's parcels unpacked."""

from collections.abc import AsyncIterator

from headwater_server.services.stream import MemberStream

__all__ = ["messages_of"]


async def messages_of(stream: MemberStream) -> AsyncIterator[bytes]:
    """The messages of a member's stream one by one, in their order."""
    async for messages in stream.parcels():
        for data in messages:
            yield data
