"""Asking whether a server is there, with the standard library: faster than to import a client."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from actorllm.protocol.address import Address

__all__ = ["is_up", "server_version"]

_SECONDS = 2.0
_MAX_ANSWER = 64 * 1024


def is_up(address: Address) -> bool:
    """Say whether anything listens; a server too busy to answer at once does."""
    connection = _connection(address)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def server_version(address: Address) -> str | None:
    """Return what `/api/version` says, None if no server says anything."""
    connection = _connection(address)
    try:
        connection.request("GET", f"{address.path}/api/version")
        version = json.loads(connection.getresponse().read(_MAX_ANSWER))["version"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return str(version)


def _connection(address: Address) -> HTTPConnection:
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    return kind(urlsplit(address.url).hostname or "", address.port, timeout=_SECONDS)
