"""What Go's `encoding/json` says of texts that are no JSON: its scanner's words, by Python's errors."""

import re
from json import JSONDecodeError

__all__ = ["complaint", "complaint_of_constant"]

_SPACE = re.compile(r"[ \t\n\r]*")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LOOK_BACK = 1 << 20
_NAMED = {"'": r"'\''", '"': "'\"'", "\\": r"'\\'"} | {
    c: f"'\\{name}'" for c, name in zip("\a\b\f\n\r\t\v", "abfnrtv", strict=True)
}


def complaint(error: JSONDecodeError, source: str) -> str:
    """Say what Go says where Python has found this error in a text."""
    at, said = error.pos, error.msg
    if said.startswith("Unterminated string") or at >= len(source):
        return "unexpected EOF"
    if said.startswith("Expecting value"):
        return _value_text(source, at)
    if said.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma
        at = _SPACE.match(source, at + 1).end()  # type: ignore[union-attr]
        return _invalid(source, at, "looking for beginning of object key string")
    if said.startswith("Expecting property name"):
        return _invalid(source, at, "looking for beginning of object key string")
    if said.startswith("Expecting ':'"):
        return _invalid(source, at, "after object key")
    if said.startswith("Expecting ','"):
        return _delimiter_text(source, at)
    if said.startswith("Invalid control character"):
        return _invalid(source, at, "in string literal")
    if said.startswith(r"Invalid \u"):
        digits = re.compile(r"\\u[0-9a-fA-F]*").match(source, source.rfind("\\u", 0, at + 2))
        return _invalid(
            source, digits.end() if digits else at, r"in \u hexadecimal character escape"
        )
    return _invalid(source, at + 1, "in string escape code")


def complaint_of_constant(name: str) -> str:
    """Say what Go says of a constant that JSON does not have, such as `NaN`."""
    if name.startswith("-"):
        return "invalid character 'I' in numeric literal"
    return f"invalid character '{name[0]}' looking for beginning of value"


def _value_text(source: str, at: int) -> str:
    literal = _LITERALS.get(source[at])
    if literal is not None:
        same = next((i for i, c in enumerate(literal) if source[at + i : at + i + 1] != c), 1)
        return _invalid(source, at + same, f"in literal {literal} (expecting '{literal[same]}')")
    if source[at] == "-":
        return _invalid(source, at + 1, "in numeric literal")
    return _invalid(source, at, "looking for beginning of value")


def _delimiter_text(source: str, at: int) -> str:
    if source[at - 1].isdigit() and source[at] == ".":
        return _invalid(source, at + 1, "after decimal point in numeric literal")
    if source[at - 1].isdigit() and source[at] in "eE":
        sign = source[at + 1 : at + 2] in {"+", "-"}
        return _invalid(source, at + 1 + sign, "in exponent of numeric literal")
    inside = "array element" if _innermost(source, at) == "[" else "object key:value pair"
    return _invalid(source, at, f"after {inside}")


def _innermost(source: str, at: int) -> str:
    """Tell which bracket is open at a place; a guess when the place is far from the start."""
    stack = ["{"]
    if at <= _LOOK_BACK:
        for token in _BRACKETS.finditer(source, 0, at):
            if token[0] in "[{":
                stack.append(token[0])
            elif token[0] in "]}" and len(stack) > 1:
                stack.pop()
    return stack[-1]


def _invalid(source: str, at: int, where: str) -> str:
    if at >= len(source):
        return "unexpected EOF"
    return f"invalid character {_go_character(source[at])} {where}"


def _go_character(character: str) -> str:
    # Go's scanner sees bytes: of a longer character it names the first byte as if it were Latin-1.
    byte = character.encode("utf-8", "surrogatepass")[0]
    named = _NAMED.get(chr(byte))
    if named is not None:
        return named
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    return f"'{chr(byte)}'" if chr(byte).isprintable() else f"'\\u{byte:04x}'"
