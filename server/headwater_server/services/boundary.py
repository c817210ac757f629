"""The last line before the wire: every error of a handler becomes a status and one public line."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from headwater.errors import HeadwaterError, PeerError
from headwater.rpc.status import CODE_METADATA, refusal_of_error

__all__ = ["ErrorBoundary"]

_log = structlog.get_logger(__name__)

# gRPC's types for handlers say Any; what passes here is not looked into.
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class ErrorBoundary(grpc.aio.ServerInterceptor):
    """Wraps all handlers of a server, so that none can forget to translate.

    Guarantee: what leaves is a row of `headwater.rpc.status`; a type, message or traceback that is not Headwater's
    stays in the log.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Wrap the method's handler; unknown methods pass unchanged and end as UNIMPLEMENTED."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                _guard_unary(method, handler.unary_unary),
                request_deserializer=_readable(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                _guard_stream(method, handler.unary_stream),
                request_deserializer=_readable(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        if handler.stream_stream is None:
            # A kind of method that no service here has; better closed than unguarded.
            return None
        return grpc.stream_stream_rpc_method_handler(
            _guard_stream(method, handler.stream_stream),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class _Unreadable:
    """Stands for a request whose bytes are no message of its method."""


def _readable(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    # What a deserializer raises never reaches a handler: gRPC answers by itself, with the exception's type and text.
    if deserialize is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return _Unreadable()

    return read


def _check_readable(request: Any) -> None:
    if isinstance(request, _Unreadable):
        raise PeerError("the request is no message of this method; upgrade the older side")


def _guard_unary(method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    async def guarded(request: Any, context: _Context) -> Any:
        try:
            _check_readable(request)
            return await inner(request, context)
        except Exception as error:  # noqa: BLE001  the boundary: nothing may pass it unseen
            return await _refuse(method, error, context)

    return guarded


def _guard_stream(method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    async def guarded(request: Any, context: _Context) -> AsyncIterator[Any]:
        try:
            _check_readable(request)
            # One message or a stream of them: what comes is the inner handler's to read.
            async with aclosing(inner(request, context)) as responses:
                async for response in responses:
                    yield response
        except Exception as error:  # noqa: BLE001  the boundary: nothing may pass it unseen
            await _refuse(method, error, context)

    return guarded


async def _refuse(method: str, error: Exception, context: _Context) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    refusal = refusal_of_error(error)
    if isinstance(error, HeadwaterError):
        _log.info("call_refused", method=method, code=error.code, reason=str(error))
    else:
        _log.error("call_failed", method=method, exc_info=error)
    await context.abort(refusal.status, refusal.text, ((CODE_METADATA, refusal.code),))
