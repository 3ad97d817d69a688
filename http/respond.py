"""Small responses that several routes need."""

from quart_trio.wrappers import TrioResponse

__all__ = ["empty", "not_found"]


def empty(status: int = 200) -> TrioResponse:
    """Answer without a body, and so without a type of it."""
    response = TrioResponse(b"", status=status)
    del response.headers["Content-Type"]
    return response


def not_found() -> TrioResponse:
    """Answer as where there is no route."""
    return TrioResponse("404 page not found", status=404, content_type="text/plain")
