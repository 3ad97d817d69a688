"""Where the daemon listens and where its clients reach it."""

import ipaddress
from urllib.parse import urlsplit

import attrs

__all__ = ["DEFAULT_PORT", "Address"]

DEFAULT_PORT = 11434

_SCHEME_PORTS = {"http": 80, "https": 443}
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 -- a table, no bind


@attrs.frozen
class Address:
    """A host and a port, with the scheme and the path under which a client reaches them."""

    host: str = "127.0.0.1"
    """A name or an IP literal without brackets; `0.0.0.0` and `::` listen everywhere."""
    port: int = DEFAULT_PORT
    """0: the daemon takes any free port."""
    scheme: str = "http"
    path: str = ""
    """Prefix of all paths, behind a reverse proxy; empty or `/…` without a slash at its end."""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host`, `host:port`, `:port`, `[v6]:port` or `http[s]://host[:port][/path]`.

        Without a scheme the port defaults to 11434, with one to that of the scheme.

        Raises:
            ValueError: The text is none of these; its text says what is wrong.
        """
        scheme, separator, rest = text.strip().rpartition("://")
        scheme = scheme.lower() if separator else "http"
        if scheme not in _SCHEME_PORTS:
            raise ValueError(f"the scheme must be http or https, not {scheme!r}")
        authority, slash, path = rest.partition("/")
        if authority.count(":") > 1 and not authority.startswith("["):
            authority = f"[{authority}]"
        parts = _split(authority)
        port = parts[1]
        if port is None:
            port = _SCHEME_PORTS[scheme] if separator else DEFAULT_PORT
        return cls(parts[0] or cls().host, port, scheme, (slash + path).rstrip("/"))

    @property
    def bind(self) -> str:
        """`host:port` to listen on, an IPv6 literal in brackets."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for a client on this machine, without a slash at its end."""
        host = _REACHABLE.get(self.host, self.host)
        return f"{self.scheme}://{_bracketed(host)}:{self.port}{self.path}"

    @property
    def is_local(self) -> bool:
        """Whether a daemon on this machine would answer: loopback or every interface."""
        if self.host in _REACHABLE or self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _split(authority: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname or "", parts.port
    except ValueError as e:
        raise ValueError(f"{authority!r} is not a host and a port") from e
    if "@" in authority or any(c.isspace() or not c.isprintable() for c in authority):
        raise ValueError(f"{authority!r} is not a host and a port")
    return host, port
