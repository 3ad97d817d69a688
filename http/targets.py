"""The forms in which a request line names what is wanted (RFC 9112, section 3.2)."""

from collections.abc import MutableMapping
from typing import Any

from quart import request
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse

from actorllm.http.respond import empty

__all__ = ["in_origin_form", "to_no_path"]

Scope = MutableMapping[str, Any]

_SCHEMES = ("http", "https")


def in_origin_form(scope: Scope) -> Scope:
    """Bring a whole address, as clients of proxies send it, into path and Host, which it overrides."""
    scheme, found, rest = scope["path"].partition("://")
    if not found or scheme.lower() not in _SCHEMES:
        return scope
    authority, _, path = rest.partition("/")
    others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
    headers = [(b"host", authority.encode("latin-1", "replace")), *others]
    return {**scope, "path": f"/{path}", "headers": headers}


def to_no_path() -> Response | None:
    """Answer what asks for no path: the server as a whole, or a tunnel."""
    target = request.scope["path"]
    if target.startswith("/"):
        return None
    if target == "*" and request.method == "OPTIONS":
        return empty(200)
    return TrioResponse("400 bad request", status=400, content_type="text/plain")
