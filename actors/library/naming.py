"""From the text of a request to a name, with the refusals that each endpoint words its own way."""

from collections.abc import Callable
from typing import Final

from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import quote_plain
from actorllm.protocol.messages.models import Purpose
from actorllm.protocol.names import CLOUD_MODEL, Name, local_name, parse_name, parse_ref

__all__ = [
    "CLOUD_DETAILS",
    "CLOUD_MODEL",
    "copied_name",
    "deleted_name",
    "not_found",
    "shown_name",
    "wanted_name",
]

CLOUD_DETAILS: Final = "ollama cloud is disabled: remote model details are unavailable"

_REQUIRED: Final = frozenset(("chat", "embeddings"))


def wanted_name(text: str, purpose: Purpose) -> Name:
    """Read the name of a model that shall run.

    Raises:
        Refused: It is empty, invalid, or that of a cloud model: 400, 404 or 403.
    """
    if not text.strip():
        if purpose in _REQUIRED:
            raise Refused.because(400, "model is required")
        raise Refused.because(404, f"model '{text}' not found")
    return local_name(text)


def not_found(text: str, purpose: Purpose) -> Refused:
    """Return the answer to a request for a model that is not here."""
    if purpose in {"embed", "embeddings"}:
        return Refused.because(404, f'model "{text}" not found, try pulling it first')
    return Refused.because(404, f"model '{text}' not found")


def shown_name(text: str) -> Name:
    """Read the name of a model that shall be shown.

    Raises:
        Refused: It is empty or invalid: 400; that of a cloud model: 403.
    """
    if not text.strip():
        raise Refused.because(400, "model is required")
    return local_name(text, CLOUD_DETAILS)


def deleted_name(text: str) -> Name:
    """Read the name of a model that shall be deleted.

    Raises:
        Refused: It is empty or invalid: 400.
    """
    if not text.strip():
        raise Refused.because(400, "model is required")
    return _valid(text, lambda raw: f"name {quote_plain(raw)} is invalid")


def copied_name(text: str, role: str) -> Name:
    """Read one of the two names of a copy.

    Args:
        text: As the client wrote it.
        role: `source` or `destination`.

    Raises:
        Refused: It is empty or invalid: 400.
    """
    name = parse_name(text)  # `:local` and spaces around it are no part of this route's language
    if not name.is_valid:
        raise Refused.because(400, f"{role} {quote_plain(text)} is invalid")
    return name


def _valid(text: str, invalid: Callable[[str], str]) -> Name:
    """Read a name whose model need not run: a stand-in for a cloud model has one like any other."""
    ref = parse_ref(text)
    name = parse_name(ref.raw if ref.is_cloud else ref.base)
    if not name.is_valid:
        raise Refused.because(400, invalid(text))
    return name
