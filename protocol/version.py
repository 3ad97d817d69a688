"""Which version this is, whose wire it speaks, and which comes first of two."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

__all__ = ["COMPAT", "api_version", "is_newer", "package_version", "unmet"]

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


_VERSION: Final = re.compile(
    r"v?0*([0-9]+)(?:\.0*([0-9]+))?(?:\.0*([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)


def is_newer(one: str, other: str) -> bool:
    """Tell whether a version comes after another, by the precedence of semver.org, item 11.

    What is no version comes after none, and none after it.
    """
    first, second = _precedence(one), _precedence(other)
    return first is not None and second is not None and first > second


def _precedence(text: str) -> tuple[Any, ...] | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    *numbers, labels = found.groups()
    if labels is None:
        return (*(_number(digits or "0") for digits in numbers), True)
    parts = tuple(_label(label) for label in labels.split("."))
    return (*(_number(digits or "0") for digits in numbers), False, parts)


def _number(digits: str) -> tuple[int, str]:
    return len(digits), digits  # of any length: no integer is made of it


def _label(text: str) -> tuple[bool, int, str]:
    is_number = text.isdecimal()
    return not is_number, len(text) if is_number else 0, text


def unmet(required: str) -> str | None:
    """Say in one line why a model that requires a version cannot run here; None: it can."""
    if not is_newer(required, COMPAT):
        return None
    return (
        f"requires version {required} or newer, and this server is compatible with {COMPAT}; "
        f"upgrade actorllm, or create a copy of the model with REQUIRES {COMPAT} to try it as it is"
    )
