"""What the server of the edge and the HTTP application say to one another beyond ASGI."""

from typing import Final

__all__ = ["BODY"]

BODY: Final = "actorllm.body"
"""The extension whose value is an `Outlet` of the kernel: between the start of an answer and its end
parts of the body may be pushed into it. Not there where an answer has no body, or shares its
connection."""
