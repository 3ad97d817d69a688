"""Modelfiles: recipes for models, as people write them.

    parse_modelfile   text to commands, with the line of each
    recipe_of         commands to the fields of a create request

Grammar: an instruction (in any case), blanks, a value to the end of the line. A value that begins
with one or three double quotes goes on until a line ends with as many; there are no escapes. `#`
starts a comment only where an instruction could stand. Better than the original: a CR LF is one
line end, and of what cannot be seen only control characters are dropped, since joiners and wide
spaces are part of people's writing.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from actorllm.protocol.chat import ChatMessage, JsonObject
from actorllm.protocol.options import kind_of

__all__ = [
    "INSTRUCTIONS",
    "MAX_MODELFILE",
    "Command",
    "ModelfileError",
    "Recipe",
    "check_requires",
    "parse_modelfile",
    "parse_parameter",
    "recipe_of",
]

MAX_MODELFILE = 16 * 1024 * 1024
"""Longest text that is read, in bytes or characters."""

INSTRUCTIONS = (
    "from",
    "license",
    "template",
    "system",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "parameter",
    "message",
    "requires",
)

_ROLES = ("system", "user", "assistant")
_DEPRECATED = frozenset(
    (
        "penalize_newline",
        "low_vram",
        "f16_kv",
        "logits_all",
        "vocab_only",
        "use_mlock",
    )
)
_BAD_INSTRUCTION = (
    'command must be one of "' + '", "'.join(INSTRUCTIONS[:-1]) + f'", or "{INSTRUCTIONS[-1]}"'
)
_BAD_ROLE = 'message role must be one of "system", "user", or "assistant"'

_BLANKS = re.compile(r"[ \t]*")
_WORD = re.compile(r"[^ \t\r\n]*")
_REST = re.compile(r"[^\r\n]*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_INT = re.compile(r"[+-]?[0-9]{1,20}")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)
_NUMBER = r"(0|[1-9][0-9]{0,9})"
_LABELS = r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*"
_SEMVER = re.compile(rf"v?{_NUMBER}(\.{_NUMBER}(\.{_NUMBER}(-{_LABELS})?(\+{_LABELS})?)?)?")


class ModelfileError(ValueError):
    """A text that is no Modelfile; `line` is None where none is to blame."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"(line {line}): {problem}")
        self.line = line


@attrs.frozen
class Command:
    """An instruction with its value."""

    instruction: str
    """In lower case."""
    value: str
    key: str = ""
    """Of `parameter` its name, of `message` its role."""
    line: int = 1


@attrs.frozen
class Recipe:
    """What a Modelfile asks for, in the terms of a create request."""

    sources: tuple[str, ...]
    """Values of FROM in order: a model, or files (weights, projectors)."""
    adapters: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: JsonObject = attrs.field(factory=dict)
    messages: tuple[ChatMessage, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    warnings: tuple[str, ...] = ()
    """What was dropped, a line each."""


def parse_modelfile(source: bytes | str) -> tuple[Command, ...]:
    """Read a Modelfile: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        ModelfileError: The text is too long or not of the grammar, or has no FROM.
    """
    if len(source) > MAX_MODELFILE:
        raise ModelfileError(f"a Modelfile of more than {MAX_MODELFILE} bytes is too long")
    text = source if isinstance(source, str) else _decode(source)
    commands = tuple(_Scanner(_CONTROL.sub("", text)).commands())
    if not any(command.instruction == "from" and command.value for command in commands):
        raise ModelfileError("no FROM line")
    return commands


def _decode(source: bytes) -> str:
    if source[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return source.decode("utf-16", errors="replace")
    return source.decode(errors="replace")


class _Scanner:
    """A position in a text, and its line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def commands(self) -> Iterator[Command]:
        while True:
            self._take(_BLANKS)
            if self._at == len(self._text):
                return
            if self._text[self._at] == "#":
                self._take(_REST)
            elif self._text[self._at] not in "\r\n":
                yield self._command()
            self._end_line()

    def _command(self) -> Command:
        line = self._line
        instruction = self._take(_WORD).lower()
        if instruction not in INSTRUCTIONS:
            raise ModelfileError(_BAD_INSTRUCTION, line)
        key = ""
        if instruction in {"parameter", "message"}:
            self._take(_BLANKS)
            key = self._take(_WORD)
            if instruction == "message" and key not in _ROLES:
                raise ModelfileError(_BAD_ROLE, line)
        if not self._take(_BLANKS):
            words = f"{instruction.upper()} {key}".rstrip()
            raise ModelfileError(f"{words} needs a value", line)
        return Command(instruction, self._value(), key, line)

    def _value(self) -> str:
        start = self._at
        value = self._take(_REST).rstrip()
        quote = '"""' if value.startswith('"""') else '"' if value.startswith('"') else ""
        if not quote:
            return value
        # Only the last line can end with the quote: no earlier one did, and blank lines end nothing.
        end = start + len(value)
        while not (self._text.endswith(quote, start, end) and end - start >= 2 * len(quote)):
            if self._at == len(self._text):
                raise ModelfileError("unexpected EOF")
            self._end_line()
            begin = self._at
            end = begin + len(self._take(_REST).rstrip())
        return self._text[start + len(quote) : end - len(quote)]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None  # all of these patterns match the empty string
        self._at = match.end()
        return match[0]

    def _end_line(self) -> None:
        match = _LINE_END.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            self._line += 1


def recipe_of(commands: Iterable[Command]) -> Recipe:
    """Gather commands: licences, messages and `stop` add up, of all else the last one counts.

    Raises:
        ModelfileError: A parameter is unknown or has no such value, or REQUIRES is no version.
    """
    last: dict[str, str] = {}
    several: dict[str, list[str]] = {"from": [], "adapter": [], "draft": [], "license": []}
    parameters: JsonObject = {}
    messages: list[ChatMessage] = []
    warnings: list[str] = []
    for command in commands:
        if command.instruction in several:
            several[command.instruction].append(command.value)
        elif command.instruction == "message":
            messages.append(ChatMessage(command.key, command.value))
        elif command.instruction != "parameter":
            last[command.instruction] = command.value
        elif command.key in _DEPRECATED:
            warnings.append(f"warning: parameter {command.key} is deprecated")
        else:
            _add_parameter(parameters, command.key, command.value)
    return Recipe(
        sources=tuple(several["from"]),
        adapters=tuple(several["adapter"]),
        drafts=tuple(several["draft"]),
        template=last.get("template", ""),
        system=last.get("system", ""),
        licenses=tuple(several["license"]),
        parameters=parameters,
        messages=tuple(messages),
        renderer=last.get("renderer", ""),
        parser=last.get("parser", ""),
        requires=check_requires(last["requires"]) if "requires" in last else "",
        warnings=tuple(warnings),
    )


def _add_parameter(parameters: JsonObject, key: str, text: str) -> None:
    value = parse_parameter(key, text)
    if isinstance(value, list):
        value = [*parameters.get(key, ()), *value]
    parameters[key] = value


def parse_parameter(key: str, text: str) -> Any:
    """Read a parameter's value by the type of the option; an array gets one element.

    Raises:
        ModelfileError: There is no such option, or the text is no value of its type.
    """
    kind = kind_of(key)
    if kind is None:
        raise ModelfileError(f"unknown parameter '{key}'")
    if kind.name == "array":
        return [text]
    value: Any = None
    if kind.name == "boolean":
        value = _BOOLEANS.get(text)
    elif kind.name == "integer" and _INT.fullmatch(text):
        value = int(text)
    elif kind.name == "float32" and _FLOAT.fullmatch(text):
        value = float(text)
    elif kind.name == "object":
        value = _object(text)
    try:
        converted = kind.convert(value)
    except TypeError:
        word = {"integer": "int", "float32": "float", "boolean": "bool"}.get(kind.name, kind.name)
        raise ModelfileError(f"invalid {word} value [{text}]") from None
    return value if kind.name == "object" else converted


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def check_requires(version: str) -> str:
    """Return a version that is required, without a leading `v`.

    Raises:
        ModelfileError: It is no semantic version.
    """
    if not _SEMVER.fullmatch(version):
        raise ModelfileError("requires must be a valid semver (e.g. 0.14.0)")
    return version.removeprefix("v")
