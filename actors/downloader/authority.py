"""How a registry lets us in.

Its challenge is answered with what we have: name and password if the user gave them (to the registry
itself, or to its token server for a token), else a token request that is signed with the key of this
installation, else one without any identity. All of it goes to the registry's own host alone.
"""

import base64
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import trio

from actorllm.actors.downloader.challenge import (
    MAX_TOKEN_REPLY,
    Challenge,
    parse_challenges,
    parse_token,
    token_url,
)
from actorllm.actors.downloader.client import pieces_of
from actorllm.actors.downloader.identity import identity_in
from actorllm.actors.downloader.origin import Origin

__all__ = ["Authority"]


class Authority:
    """The authorization for one repository. Requests at one time share it.

    Args:
        origin: The repository.
        state: Folder of the key of this installation, which is read when it is needed.
        username: Empty: the user gave none.
        password: The user's.
    """

    def __init__(
        self,
        origin: Origin,
        state: Path,
        username: str = "",
        password: str = "",
    ) -> None:
        self._origin = origin
        self._state = state
        self._basic = _basic(username, password) if username else None
        self._turn = trio.Lock()
        self.header: str | None = None
        """Value of `Authorization`, as soon as there is one."""

    async def answer(self, client: httpx.AsyncClient, header: str, used: str | None) -> bool:
        """Answer a challenge; False: there is no answer.

        Args:
            client: For a token request.
            header: The challenge.
            used: The authorization that was not enough.

        Raises:
            Refused: The challenge must not be answered: 500.
            httpx.TransportError: The token server did not answer.
        """
        async with self._turn:
            if self.header != used:
                return True  # another request has renewed it meanwhile
            for challenge in _best_first(parse_challenges(header)):
                new = await self._answer(client, challenge)
                if new is not None and (new != used or challenge.scheme == "bearer"):
                    self.header = new
                    return True
            return False

    async def _answer(self, client: httpx.AsyncClient, challenge: Challenge) -> str | None:
        if challenge.scheme == "basic":
            return self._basic
        if challenge.scheme != "bearer":
            return None
        url = self._token_url(challenge)
        if self._basic is not None:
            token = await _request_token(client, url, self._basic)
        else:
            signed = (await identity_in(self._state)).authorization("GET", str(url))
            token = await _request_token(client, url, signed)
            if token is None:
                token = await _request_token(client, self._token_url(challenge), None)
        return None if token is None else f"Bearer {token}"

    def _token_url(self, challenge: Challenge) -> httpx.URL:
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        return httpx.URL(
            token_url(
                challenge,
                self._origin.scheme,
                self._origin.host,
                now=int(time.time()),
                nonce=nonce,
            )
        )


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _best_first(challenges: Sequence[Challenge]) -> list[Challenge]:
    return sorted(challenges, key=lambda challenge: challenge.scheme != "bearer")


async def _request_token(
    client: httpx.AsyncClient, url: httpx.URL, authorization: str | None
) -> str | None:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if authorization is not None:
        headers["Authorization"] = authorization
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code != 200:
            return None
        data = bytearray()
        async with pieces_of(response) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > MAX_TOKEN_REPLY:
                    return None
    return parse_token(bytes(data))
