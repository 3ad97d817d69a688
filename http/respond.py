"""Small responses that several routes need."""

from quart_trio.wrappers import TrioResponse

__all__ = ["empty"]


def empty(status: int = 200) -> TrioResponse:
    """Answer without a body, and so without a type of it."""
    response = TrioResponse(b"", status=status)
    del response.headers["Content-Type"]
    return response
