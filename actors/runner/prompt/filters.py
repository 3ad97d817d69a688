"""Jinja's filters for chat templates, each with a bound on what it can make."""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.filters import make_attrgetter
from jinja2.runtime import Macro, Undefined
from markupsafe import escape

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.limits import active, text_size
from actorllm.actors.runner.prompt.methods import guard_percent, replaced_size

__all__ = ["guarded_filters", "printed"]

_REMOVED = frozenset(
    (
        "filesizeformat",
        "pprint",
        "random",
        "striptags",
        "urlencode",
        "urlize",
        "wordwrap",
        "xmlattr",
    )
)
"""Not for prompts: they make HTML, or their cost is hard to bound, or they depend on chance."""
_WIDEST_INDENT = 32


def printed(value: Any) -> str:
    """Return `value` as `{{ … }}` prints it."""
    if isinstance(value, str):
        return str(value)
    budget = active.get()
    size, _ = budget.measure(value)
    budget.require(2 * size)
    return str(value)


def _concatenate(values: tuple[Any, ...]) -> str:
    texts = [printed(value) for value in values]
    active.get().require(sum(map(text_size, texts)))
    return "".join(texts)


def _ticked(value: Any) -> Any:
    active.get().tick()
    return value


def _made(value: Any) -> Any:
    return active.get().made(value)


class _Watched:
    """An iterable of a `for` loop that counts the rounds; has a length if the original has."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __iter__(self) -> Iterator[Any]:
        budget = active.get()
        for value in self._values:
            budget.tick()
            yield value

    def __len__(self) -> int:
        return len(self._values)


def _to_json(
    value: Any,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
    ensure_ascii: bool = False,
) -> str:
    """Return `value` as JSON, keys in their order, as transformers' `tojson` does."""
    width = len(indent) if isinstance(indent, str) else indent or 0
    if width > _WIDEST_INDENT:
        raise TemplateError(f"the template indents JSON by more than {_WIDEST_INDENT}")
    budget = active.get()
    size, depth = budget.measure(value)
    # A control character becomes six, a small value gets a line of its own.
    budget.require((6 + depth * width) * size)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=(separators[0], separators[1]) if separators else None,
        sort_keys=sort_keys,
        default=_json_default,
    )


def _json_default(value: Any) -> Any:
    """Let `tojson` print what other filters leave half made, as llama.cpp does."""
    if isinstance(value, Iterator):
        items = active.get().listed(value)
        size, _ = active.get().measure(items)
        active.get().require(6 * size)
        return items
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def _from_json(value: str) -> Any:
    active.get().require(40 * len(value))
    return json.loads(value)


@pass_environment
def _join(
    env: Environment, values: Iterable[Any], d: str = "", attribute: str | int | None = None
) -> str:
    budget = active.get()
    items = budget.listed(values)
    if attribute is not None:
        items = [make_attrgetter(env, attribute)(item) for item in items]
    texts = [printed(item) for item in items]
    budget.require(sum(map(text_size, texts)) + text_size(str(d)) * len(texts))
    return str(d).join(texts)


@pass_environment
def _sum(
    env: Environment, values: Iterable[Any], attribute: str | int | None = None, start: Any = 0
) -> Any:
    items = active.get().listed(values)
    if attribute is not None:
        items = [make_attrgetter(env, attribute)(item) for item in items]
    if not isinstance(start, list):
        return sum(items, start)
    # The sum of lists by `+` would copy the first ones again and again.
    return [*start, *active.get().listed(part for item in items for part in item)]


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    plain, limit = str(text), -1 if count is None else count
    active.get().require(replaced_size(plain, old, new, limit))
    return plain.replace(old, new, limit)


def _format(text: str, *args: Any, **named: Any) -> str:
    values: Any = named or args
    guard_percent(active.get(), text, values)
    return str(text % values)


def _escape(value: Any) -> str:
    text = printed(value)
    active.get().require(6 * text_size(text))
    return str(escape(text))


def _list(values: Any) -> list[Any]:
    return list(active.get().listed(values))


def _guard_size(size: Callable[..., int]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **named: Any) -> Any:
            active.get().require(size(*args, **named))
            return original(*args, **named)

        return call

    return guarded


def _indented_size(text: str, width: int | str = 4, *_: Any, **__: Any) -> int:
    columns = len(width) if isinstance(width, str) else width
    return 4 * (len(text) + (text.count("\n") + 2) * columns)


def _trimmed_size(text: Any, chars: str | None = None) -> int:
    if chars is not None and len(chars) > 256:
        raise TemplateError("the template trims more than 256 characters at once")
    return text_size(str(text)) if isinstance(text, str) else 0


def _rounded_size(value: float, precision: int = 0, *_: Any, **__: Any) -> int:
    del value
    if abs(precision) > 300:
        raise TemplateError("the template rounds to more than 300 digits")
    return 0


_SIZES: dict[str, Callable[..., int]] = {
    "batch": lambda values, linecount, *_, **__: 8 * linecount,  # noqa: ARG005 -- a filter's form
    "center": lambda text, width=80: 4 * (len(text) + width),
    "indent": _indented_size,
    "round": _rounded_size,
    "trim": _trimmed_size,
    "slice": lambda values, slices, *_, **__: 128 * slices,  # noqa: ARG005 -- a filter's form
}
_OWN: dict[str, Callable[..., Any]] = {
    "e": _escape,
    "escape": _escape,
    "forceescape": _escape,
    "format": _format,
    "from_json": _from_json,
    "join": _join,
    "list": _list,
    "replace": _replace,
    "safe": printed,  # prompts are no HTML: text stays plain text
    "string": printed,
    "sum": _sum,
    "tojson": _to_json,
}
_INTERNAL: dict[str, Callable[..., Any]] = {
    "concatenated": _concatenate,
    "made": _made,
    "ticked": _ticked,
    "watched": _Watched,
}
"""What the sandbox wraps around parts of a template (see `sandbox.Environment`)."""


def _paid(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **named: Any) -> Any:
        budget = active.get()
        budget.tick()
        value = original(*args, **named)
        return value if isinstance(value, (Undefined, Macro)) else budget.made(value)

    return call


def guarded_filters(defaults: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return Jinja's `defaults` with bounds, ours in place of some, and the internal ones."""
    known = {name: call for name, call in defaults.items() if name not in _REMOVED}
    for name, size in _SIZES.items():
        known[name] = _guard_size(size)(known[name])
    known.update(_OWN)
    return {name: _paid(call) for name, call in known.items()} | _INTERNAL
