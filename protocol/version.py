"""Which version this is, and whose wire it speaks."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["COMPAT", "api_version", "package_version"]

COMPAT = "0.33.0"
"""The release of Ollama whose wire protocol is spoken; clients compare it to unlock features."""


@cache
def package_version() -> str:
    """Return the installed version of actorllm; `0+unknown` for a bare source tree."""
    try:
        return version("actorllm")
    except PackageNotFoundError:
        return "0+unknown"


def api_version() -> str:
    """Return what `/api/version` says, e.g. `0.33.0+actorllm.0.1.0`."""
    return f"{COMPAT}+actorllm.{package_version().replace('+', '.')}"
