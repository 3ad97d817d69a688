"""The functions of Go templates."""

import html
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import quote_plus

from gotpl.runtime.gofmt import sprintf

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.gotools import typescript_type
from actorllm.actors.runner.prompt.govalues import (
    GoList,
    GoMap,
    Property,
    Struct,
    print_go,
    to_json,
)
from actorllm.actors.runner.prompt.limits import Budget, text_size
from actorllm.actors.runner.prompt.methods import guard_percent

__all__ = ["FUNCTION_NAMES", "functions", "is_true"]

_JS = str.maketrans(
    {c: f"\\u{ord(c):04X}" for c in map(chr, range(32))}
    | {"\\": r"\\", "'": r"\'", '"': r"\""}
    | {c: f"\\u{ord(c):04X}" for c in "<>&=\u2028\u2029"}
)


def is_true(value: Any) -> bool:
    """Tell whether Go's `if` takes `value` for true."""
    return True if isinstance(value, Struct) else bool(value)


def _fail(text: str) -> NoReturn:
    raise TemplateError(f"the model's template failed: {text}")


def _kind(value: Any) -> str:
    for kind, types in (("bool", bool), ("int", int), ("float", float), ("string", str)):
        if isinstance(value, types):
            return kind
    return "nil" if value is None else "other"


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        _fail("eq needs two arguments")
    return any(_equal_pair(first, other) for other in others)


def _equal_pair(left: Any, right: Any) -> bool:
    kinds = {_kind(left), _kind(right)}
    if kinds == {"nil"}:
        return True
    if "nil" in kinds and "other" in kinds:
        return False
    if len(kinds) > 1 or "other" in kinds:
        if isinstance(left, GoList) and left.text is not None and isinstance(right, str):
            return left.text == right  # the type of a property, which compares as its text
        _fail("eq compares values of different types")
    return bool(left == right)


def _less(left: Any, right: Any) -> bool:
    kinds = {_kind(left), _kind(right)}
    if len(kinds) > 1 or kinds & {"bool", "nil", "other"}:
        _fail("it compares values that have no order")
    return bool(left < right)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    _fail("len of a value that has no length")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key) if isinstance(key, str) else _fail("index of a map by no text")
            continue
        if isinstance(value, str):
            value = list(value.encode())
        if not isinstance(value, (list, tuple)) or _kind(key) != "int":
            _fail("index of a value that has none")
        if not 0 <= key < len(value):
            _fail(f"index {key} is out of range")
        value = value[key]
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    data = value.encode() if isinstance(value, str) else value
    if not isinstance(data, (list, bytes)) or any(_kind(b) != "int" for b in bounds):
        _fail("slice of a value that has none")
    start = bounds[0] if bounds else 0
    stop = bounds[1] if len(bounds) > 1 else len(data)
    if len(bounds) > 2 or not 0 <= start <= stop <= len(data):
        _fail("slice bounds are out of range")
    part = data[start:stop]
    if isinstance(part, bytes):
        return part.decode(errors="replace")
    return GoList(part)


def _print(*values: Any) -> str:
    text = ""
    for position, value in enumerate(values):
        # Go puts a space between two values of which neither is text.
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            text += " "
        text += print_go(value, nested=True)
    return text


class _Formattable:
    """Shows one of our values to gotpl's `sprintf`."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __go_format_value__(self, kind: str, mode: str, *, nested: bool) -> str:
        del mode, nested
        if kind == "type" and isinstance(self._value, Struct):
            return "*template.templateMessage"
        if kind == "type":
            return "map[string]interface {}" if isinstance(self._value, dict) else "[]interface {}"
        return print_go(self._value, nested=True)


def _printf(form: Any, *values: Any) -> str:
    plain = [
        _Formattable(value) if isinstance(value, (Struct, GoList, GoMap)) else value
        for value in values
    ]
    return str(sprintf(form, *plain))


def _typescript(value: Any) -> str:
    return typescript_type(value.schema if isinstance(value, Property) else value)


_PURE: dict[str, Callable[..., Any]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal_pair(left, right),
    "lt": _less,
    "le": lambda left, right: not _less(right, left),
    "gt": lambda left, right: _less(right, left),
    "ge": lambda left, right: not _less(left, right),
    "not": lambda value: not is_true(value),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(print_go(v, nested=True) for v in values) + "\n",
    "printf": _printf,
    "html": lambda *values: (
        html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    ),
    "js": lambda *values: _print(*values).translate(_JS),
    "urlquery": lambda *values: quote_plus(_print(*values)),
    "json": to_json,
    "toTypeScriptType": _typescript,
}
_LONGEST_FORMAT = 10_000
_MOST_FORMATTED = 2 << 20  # bytes; gotpl goes through them one by one
_TEXT_MAKERS = frozenset(("html", "js", "json", "print", "printf", "println", "urlquery"))
FUNCTION_NAMES = (*_PURE, "and", "or", "call", "currentDate", "yesterdayDate")
"""All names that a template may use; `and` and `or` are evaluated by need, `call` is refused."""


def functions(budget: Budget, now: datetime) -> dict[str, Callable[..., Any]]:
    """Return the functions of one rendering; each pays for what it makes."""

    def paid(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            if name in _TEXT_MAKERS:
                size = sum(_size(value) for value in values)
                budget.require(6 * size)
                if name == "printf":
                    _guard_printf(budget, values, size)
                elif name == "urlquery" and size > _MOST_FORMATTED:
                    raise LimitExceeded("the template quotes too much text")
            made = function(*values)
            if isinstance(made, str):
                budget.charge(text_size(made))
            return made

        return call

    dates = {
        "currentDate": lambda: now.strftime("%Y-%m-%d"),
        "yesterdayDate": lambda: (now - timedelta(days=1)).strftime("%Y-%m-%d"),
    }
    return {name: paid(name, call) for name, call in (_PURE | dates).items()}


def _guard_printf(budget: Budget, values: tuple[Any, ...], size: int) -> None:
    if not values or not isinstance(values[0], str):
        _fail("printf needs a format")
    if len(values[0]) > _LONGEST_FORMAT or size > _MOST_FORMATTED:
        raise LimitExceeded("the template formats too much text")
    guard_percent(budget, values[0], ())
    budget.require(values[0].count("%") * (4 * size + 1000))


def _size(value: Any) -> int:
    """Return about how many bytes `value` has; texts of structs count as they print."""
    if isinstance(value, str):
        return text_size(value)
    if isinstance(value, Struct):
        return 16 + sum(_size(part) for part in value.fields.values())
    if isinstance(value, dict):
        return 16 + sum(len(key) + _size(part) for key, part in value.items())
    return 16 + sum(map(_size, value)) if isinstance(value, (list, tuple)) else 16
