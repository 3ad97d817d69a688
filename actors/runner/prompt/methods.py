"""Which methods of plain values a template may call, and what the result may cost.

The sandbox of Jinja lets a template call nearly every public method of text and numbers, among them
some that make gigabytes from ten characters. Here everything is forbidden that is not in a table.
"""

import re
import string
from collections.abc import Callable
from typing import Any

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.limits import Budget, active, text_size

__all__ = ["BoundedFormatter", "guard_method", "guard_percent", "replaced_size"]

_WIDEST = 1000
"""The widest field that a template may ask for in a format."""
_SPLIT_ITEM = 64
_MOST_STRIPPED = 256
_MOST_COMPARED = 50_000_000
_NUMBERS = re.compile(r"\d{4,}")
_DYNAMIC = re.compile(r"%[^a-zA-Z%]*\*")

# fmt: off
_TEXT_CHECKS = (
    "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit",
    "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper",
    "startswith",
)
_TEXT_LINEAR = (
    "capitalize", "casefold", "lower", "partition", "removeprefix", "removesuffix", "swapcase",
    "title", "upper",
)
# fmt: on
_CONTAINER_METHODS: dict[type, frozenset[str]] = {
    dict: frozenset(("copy", "get", "items", "keys", "values")),
    list: frozenset(("append", "copy", "count", "index", "pop")),
    tuple: frozenset(("count", "index")),
    int: frozenset(("bit_length",)),
    float: frozenset(("is_integer",)),
}


def guard_method(budget: Budget, method: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Refuse a call of a built-in method that is not allowed or costs too much."""
    owner, name = method.__self__, method.__name__
    if isinstance(owner, str):
        estimate = _TEXT_METHODS.get(name)
        if estimate is None:
            raise TemplateError(f"the template calls {name}() of a text, which is not allowed")
        budget.require(estimate(owner, args, named))
        return
    if not any(isinstance(owner, kind) and name in ok for kind, ok in _CONTAINER_METHODS.items()):
        raise TemplateError(f"the template calls {name}(), which is not allowed")
    if name in ("append", "pop"):
        # A list that a template made is its own; the conversation is a copy made for it.
        budget.forget()


def _number(args: tuple[Any, ...], position: int, default: int) -> int:
    value = args[position] if len(args) > position else default
    return value if isinstance(value, int) else default


def replaced_size(text: str, old: Any, new: Any, count: int = -1) -> int:
    """Return an upper bound of the bytes of `text.replace(old, new, count)`."""
    if not isinstance(old, str) or not isinstance(new, str):
        return 0
    found = text.count(old)
    if count >= 0:
        found = min(found, count)
    return 4 * len(text) + found * text_size(new)


def _padded(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del named
    return 4 * max(len(text), _number(args, 0, 0))


def _expanded_tabs(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    size = named.get("tabsize", _number(args, 0, 8))
    return 4 * (len(text) + text.count("\t") * (size if isinstance(size, int) else 8))


def _split(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    separator = args[0] if args else named.get("sep")
    parts = text.count(separator) if isinstance(separator, str) and separator else len(text) // 2
    limit = named.get("maxsplit", _number(args, 1, -1))
    if isinstance(limit, int) and limit >= 0:
        parts = min(parts, limit)
    return text_size(text) + _SPLIT_ITEM * (parts + 1)


def _split_lines(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del args, named
    breaks = sum(text.count(mark) for mark in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    return text_size(text) + _SPLIT_ITEM * (breaks + 1)


def _joined(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del named
    if not args or not isinstance(args[0], (list, tuple, str, dict)):
        raise TemplateError("the template joins something that is not a list")
    size, _ = active.get().measure(args[0] if not isinstance(args[0], str) else list(args[0]))
    return size + text_size(text) * len(args[0])


def _replaced(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del named
    return replaced_size(text, args[0], args[1], _number(args, 2, -1)) if len(args) > 1 else 0


def _linear(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del args, named
    return 3 * text_size(text)


def _stripped(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    if args and isinstance(args[0], str) and len(args[0]) > _MOST_STRIPPED:
        raise LimitExceeded(f"the template strips more than {_MOST_STRIPPED} characters at once")
    return _linear(text, args, named)


def _from_behind(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    """Refuse a search from the end that Python does in quadratic time."""
    found = args[0] if args else named.get("sep")
    if isinstance(found, str) and len(found) * len(text) > _MOST_COMPARED:
        raise LimitExceeded("the template searches a long text for a long one, from the end")
    return _split(text, args, named)


def _nothing(text: str, args: tuple[Any, ...], named: dict[str, Any]) -> int:
    del text, named
    # `startswith` takes a tuple: comparing costs what it holds.
    return active.get().measure(args)[0] if args and isinstance(args[0], tuple) else 0


_Estimate = Callable[[str, tuple[Any, ...], dict[str, Any]], int]
_TEXT_METHODS: dict[str, _Estimate] = {
    **dict.fromkeys(_TEXT_CHECKS, _nothing),
    **dict.fromkeys(_TEXT_LINEAR, _linear),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _padded),
    **dict.fromkeys(("lstrip", "rstrip", "strip"), _stripped),
    **dict.fromkeys(("rfind", "rindex", "rpartition", "rsplit"), _from_behind),
    "split": _split,
    "expandtabs": _expanded_tabs,
    "join": _joined,
    "replace": _replaced,
    "splitlines": _split_lines,
}


def _check_width(spec: str) -> None:
    if any(int(number[:9]) > _WIDEST for number in _NUMBERS.findall(spec)):
        raise LimitExceeded("the template formats a field that is too wide")


def guard_percent(budget: Budget, text: str, values: Any) -> None:
    """Refuse `text % values` when it could become too big."""
    if _DYNAMIC.search(text):
        raise TemplateError("the template formats with a width of *, which is not allowed")
    _check_width(text)
    size, _ = budget.measure(values)
    budget.require(text_size(text) + text.count("%") * (2 * size + _WIDEST))


class BoundedFormatter(string.Formatter):
    """`str.format` that pays for what it makes; fields are looked up by `lookup`."""

    def __init__(self, budget: Budget, lookup: Callable[[Any, str | int, bool], Any]) -> None:
        self._budget = budget
        self._lookup = lookup

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        first, rest = _field_parts(field_name)
        value = self.get_value(first, args, kwargs)
        for is_attribute, name in rest:
            value = self._lookup(value, name, is_attribute)
        return value, first

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion is not None:
            self._pay_for(value)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        _check_width(format_spec)
        self._pay_for(value)
        return super().format_field(value, format_spec)

    def _pay_for(self, value: Any) -> None:
        size, _ = self._budget.measure(value)
        self._budget.charge(2 * size + _WIDEST)


def _field_parts(field: str) -> tuple[str | int, list[tuple[bool, str | int]]]:
    first, *_ = re.split(r"[.\[]", field, maxsplit=1)
    rest: list[tuple[bool, str | int]] = []
    for dotted, indexed in re.findall(r"\.([^.\[]+)|\[([^\]]*)\]", field[len(first) :]):
        rest.append((True, dotted) if dotted else (False, _index(indexed)))
    return _index(first), rest


def _index(text: str) -> str | int:
    return int(text) if text.isdecimal() and len(text) < 10 else text
