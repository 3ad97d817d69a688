"""What a registry asks for: `WWW-Authenticate` taken apart, and the token requests that follow."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import JsonError, loads

__all__ = ["MAX_TOKEN_REPLY", "Challenge", "parse_challenges", "parse_token", "token_url"]

MAX_TOKEN_REPLY: Final = 64 * 1024
"""Largest reply of a token server that is read, in bytes."""

_MAX_HEADER: Final = 8 * 1024
_MAX_TOKEN: Final = 16 * 1024
_PARAMETER = re.compile(r'([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(r"([A-Za-z][\w-]*)(?=\s|,|$)(?!\s*=)")
_GAP = re.compile(r"[\s,]*")
_ESCAPE = re.compile(r"\\(.)")
_VISIBLE = re.compile(r"[\x21-\x7e]+")


@attrs.frozen
class Challenge:
    """One way in."""

    scheme: str
    """Lower case: `bearer`, `basic` or something unknown."""
    realm: str = ""
    """Bearer: URL of the token server."""
    service: str = ""
    scope: str = ""
    """Separated by spaces."""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Take a `WWW-Authenticate` header apart (RFC 9110, section 11.6.1); what is broken is skipped."""
    found: list[tuple[str, dict[str, str]]] = []
    for scheme, key, value in _items(header[:_MAX_HEADER]):
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            found[-1][1].setdefault(key.lower(), value)
    return tuple(
        Challenge(scheme, *(values.get(key, "") for key in ("realm", "service", "scope")))
        for scheme, values in found
    )


def _items(header: str) -> Iterator[tuple[str, str, str]]:
    """Go through schemes, `(scheme, "", "")`, and parameters, `("", key, value)`."""
    at = 0
    while at < len(header):
        at = _end(_GAP.match(header, at), at)
        if match := _PARAMETER.match(header, at):
            value = match[3] if match[2] is None else _ESCAPE.sub(r"\1", match[2])
            yield "", match[1], value
        elif match := _SCHEME.match(header, at):
            yield match[1], "", ""
        at = _end(match, at + 1)


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return otherwise if match is None else match.end()


def token_url(challenge: Challenge, scheme: str, host: str, *, now: int, nonce: str) -> str:
    """Return the URL of a token request; its query is sorted, since it will be signed.

    Args:
        challenge: Says where and what for.
        scheme: Of the registry; no secret goes to plain http from a registry on https.
        host: Of the registry, with its port.
        now: Unix seconds.
        nonce: What makes a signature good for one time.

    Raises:
        Refused: The token server is not on the registry's host, so it gets nothing of ours: 500.
    """
    try:
        realm = urlsplit(challenge.realm)
    except ValueError:
        realm = urlsplit("")
    if realm.netloc.lower() != host.lower():
        raise Refused.because(
            500, f'realm host "{realm.netloc[:300]}" does not match original host "{host}"'
        )
    if realm.scheme not in {scheme, "https"}:
        raise Refused.because(500, "the registry's token server is not on https; nothing was sent")
    query = parse_qsl(realm.query, keep_blank_values=True)
    query.append(("service", challenge.service))
    query += (("scope", scope) for scope in challenge.scope.split())
    query += (("ts", str(now)), ("nonce", nonce))
    query.sort(key=lambda item: item[0])
    return urlunsplit((realm.scheme, realm.netloc, realm.path, urlencode(query), ""))


def parse_token(data: bytes) -> str | None:
    """Read the reply of a token server; None: it holds no token that can be sent."""
    try:
        fields = loads(data)
    except (JsonError, OverflowError):
        return None
    if not isinstance(fields, dict):
        return None
    for key in ("token", "access_token"):
        token = fields.get(key)
        if isinstance(token, str) and len(token) <= _MAX_TOKEN and _VISIBLE.fullmatch(token):
            return token
    return None
