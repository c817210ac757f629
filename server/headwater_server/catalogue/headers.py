"""The headers that every answer carries, so that a page can load nothing but what this site serves."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FIGURE_POLICY", "FILE_POLICY", "PAGE_POLICY", "SecurityHeaders"]

PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
# A drawing carries its own style sheet, and may do nothing else when it is opened by itself.
FIGURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"

_ALWAYS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds the headers; an answer may set a stricter or fitter policy itself."""

    def __init__(self, app: ASGIApp, *, strict_transport: bool) -> None:
        self._app = app
        wanted = {**_ALWAYS, "content-security-policy": PAGE_POLICY, "cache-control": "no-store"}
        # On loopback it would force TLS on every other port of the reader's own machine.
        if strict_transport:
            wanted["strict-transport-security"] = "max-age=31536000"
        self._wanted = [(name.encode("ascii"), value.encode("ascii")) for name, value in wanted.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                there = {name.lower() for name, _ in headers}
                message["headers"] = headers + [each for each in self._wanted if each[0] not in there]
            await send(message)

        await self._app(scope, receive, send_with_headers)
