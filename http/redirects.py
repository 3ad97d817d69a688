"""Redirects from paths that are nearly those of a route."""

from html import escape
from urllib.parse import quote

from quart import current_app, request
from quart_trio.wrappers import TrioResponse

__all__ = ["clean_path", "to_clean_path", "to_slashless"]

_PATH = "/:@!$&'()*+,;=~"
"""Characters that a path may have as they are."""


def to_clean_path() -> TrioResponse | None:
    """Send a path with empty parts or dots to the plain one, whether or not there is a route."""
    path = request.scope["path"]
    wanted = clean_path(path)
    return None if wanted == path else _moved(wanted, 301)


def clean_path(path: str) -> str:
    """Leave empty parts and single dots out of a path, and follow double ones."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def to_slashless() -> TrioResponse | None:
    """Send a path with one slash too many to the route without it, if there is one."""
    path = request.path
    wanted = path.removesuffix("/")
    if wanted == path or not wanted or wanted.endswith("/"):
        return None
    adapter = current_app.create_url_adapter(request)
    if adapter is None or not adapter.test(wanted, method=request.method):
        return None
    return _moved(wanted, 301 if request.method == "GET" else 307)


def _moved(path: str, status: int) -> TrioResponse:
    query = request.query_string.decode("latin-1")
    target = quote(path, safe=_PATH) + (f"?{query}" if query else "")
    is_get = request.method == "GET"
    link = f'<a href="{escape(target)}">Moved Permanently</a>.\n\n' if is_get else ""
    response = TrioResponse(link, status=status)
    if request.method == "HEAD":
        del response.headers["Content-Length"]
    if request.method in {"GET", "HEAD"}:
        response.headers["Content-Type"] = "text/html; charset=utf-8"
    else:
        del response.headers["Content-Type"]
    response.headers["Location"] = target
    return response
