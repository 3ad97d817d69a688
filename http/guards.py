"""Who may call, and what is not there: Host and Origin checks, CORS, 404 and 405."""

import ipaddress
import socket
from collections.abc import Iterable

import attrs
from quart import Quart, request
from quart.wrappers import Response
from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from actorllm.actors.kernel import trace_id
from actorllm.http.redirects import to_clean_path, to_slashless
from actorllm.http.respond import empty, not_found
from actorllm.http.targets import to_no_path
from actorllm.protocol.settings import Settings

__all__ = ["Origins", "allowed_host", "install"]

_LOCAL_NAMES = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 -- names in an Origin, no bind
_APPS = ("app://", "file://", "tauri://", "vscode-webview://", "vscode-file://")
_LOCAL_ENDS = (".localhost", ".local", ".internal")

_STAINLESS = (
    "Arch Async Custom-Poll-Interval Helper-Method Lang Os Package-Version Poll-Helper "
    "Retry-Count Runtime Runtime-Version Timeout"
)
_HEADERS = ",".join(
    ["Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "Openai-Beta"]
    + [f"X-Stainless-{name}" for name in _STAINLESS.split()]
)
_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
_PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
_MAX_AGE = "43200"
_PLAIN = "text/plain"


@attrs.frozen
class Origins:
    """Which pages may call."""

    extra: tuple[str, ...] = ()
    """Further origins; a `*` stands for any text."""

    def allows(self, origin: str) -> bool:
        """Tell whether pages of an origin may call."""
        scheme, found, rest = origin.partition("://")
        if found and scheme in {"http", "https"}:
            name, _, port = rest.partition(":")
            if name in _LOCAL_NAMES and (not port or port.isdigit()):
                return True
        return origin.startswith(_APPS) or any(_matches(origin, wanted) for wanted in self.extra)


def _matches(origin: str, pattern: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return origin == pattern
    return (
        len(origin) >= len(before) + len(after)
        and origin.startswith(before)
        and origin.endswith(after)
    )


def allowed_host(host: str, *, own_name: str) -> bool:
    """Tell whether a Host header names this machine, so that no foreign page rebinds its DNS to us."""
    name = _without_port(host).lower().rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        known = name in {"", "localhost", own_name.lower()}
        return known or name.endswith(_LOCAL_ENDS)
    return (
        address.is_loopback
        or address.is_private
        or address.is_unspecified
        or str(address) in _own_addresses()
    )


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(_without_port(host))
    except ValueError:
        return True
    return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _own_addresses() -> set[str]:
    import psutil

    return {a.address.partition("%")[0] for n in psutil.net_if_addrs().values() for a in n}


def install(app: Quart, settings: Settings) -> None:
    """Put the guards before, after and in place of the routes."""
    origins = Origins(settings.origins)
    checks_host = _is_loopback(settings.host.host)
    own_name = socket.gethostname()

    @app.before_request
    async def guard() -> Response | None:
        answer = to_no_path() or to_clean_path()
        if answer is not None:
            return answer
        origin = request.headers.get("Origin")
        host = request.headers.get("Host", "")
        if origin and not _is_same(origin, host):
            if not origins.allows(origin):
                return _with_allow(empty(403))
            if request.method == "OPTIONS":
                return _preflight(origin)
        if checks_host and not allowed_host(host, own_name=own_name):
            return _with_allow(empty(403))
        if checks_host and request.method == "OPTIONS" and _is_name(host):
            return _with_allow(empty(204))  # as the reference does, where the host has a name
        return None

    @app.after_request
    async def label(response: Response) -> Response:
        response.headers["X-Request-Id"] = trace_id.get()  # the log knows it, too
        origin = request.headers.get("Origin")
        if (
            origin
            and "Access-Control-Allow-Origin" not in response.headers
            and not _is_same(origin, request.headers.get("Host", ""))
            and origins.allows(origin)
        ):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response

    app.register_error_handler(HTTPException, _http_error)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_same(origin: str, host: str) -> bool:
    return origin in {f"http://{host}", f"https://{host}"}


def _preflight(origin: str) -> TrioResponse:
    response = empty(204)
    del response.headers["Content-Length"]
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = _HEADERS
    response.headers["Access-Control-Max-Age"] = _MAX_AGE
    response.headers["Vary"] = _PREFLIGHT_VARY
    return _with_allow(response)


def _with_allow(response: TrioResponse) -> TrioResponse:
    if isinstance(request.routing_exception, MethodNotAllowed):
        response.headers["Allow"] = _allow(request.routing_exception.valid_methods or ())
    return response


def _allow(methods: Iterable[str]) -> str:
    return ", ".join(sorted(methods, key=lambda m: (m != "HEAD", m)))


async def _http_error(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed):
        response = TrioResponse("405 method not allowed", status=405, content_type=_PLAIN)
        response.headers["Allow"] = _allow(error.valid_methods or ())
        return response
    if isinstance(error, NotFound | RequestRedirect):
        return to_slashless() or not_found()
    text = f"{error.code} {error.name.lower()}"
    return TrioResponse(text, status=error.code or 500, content_type=_PLAIN)
