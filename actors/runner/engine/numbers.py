"""Numbers of JSON Schemas: which are kept to as they are written, and how the others are.

llguidance counts in binary floating point, so a long number would become its neighbour, and the
multiples of 0.1 would be none of 0.1. A multiple of a large number is an automaton with a state for
each remainder.
"""

import math
from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, TypeGuard

from actorllm.actors.runner.engine.schema import Schema, rewritten, schemas
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["countable", "numbered"]

_EXACT = 2**53
"""Whole numbers up to here are what they are in floating point; so are they, over powers of ten
up to the one below."""
_POWER = 22
_WIDEST = 2**63 - 1024
"""The largest integer below 64 bits that floating point has."""
_MOST_REMAINDERS = 20_000
"""Of the least common multiple of all that `multipleOf` says: a tenth of a second and 8 MiB, and some
dozens of structures are kept."""
_MOST_LISTED = 64
"""Multiples that are listed, where there are no more."""
_BOUNDS = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LONGEST_SHOWN = 40
_BELOW_ZERO = -1e-9
_EXACTLY = Context(prec=400, rounding=ROUND_FLOOR)

_WIDTHS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
"""Formats of integers as OpenAPI and generators of schemas write them, by sign and bits."""


def countable(schema: Any) -> None:
    """Find out whether the numbers of a schema are kept to as they are.

    Raises:
        EngineError: A value that must be has more digits than that, or multiples are too large.
    """
    parts: set[Decimal] = set()
    for inner in schemas(schema):
        for key in ("const", "enum"):
            for number in _numbers(inner.get(key)):
                if not _exact(number):
                    shown = str(number)[:_LONGEST_SHOWN]
                    raise EngineError(f"{key}: {shown} has more digits than can be kept to")
        if _is_number(part := inner.get("multipleOf")) and part > 0:
            parts.add(_decimal(part))
    if _remainders(parts) > _MOST_REMAINDERS:
        raise EngineError(f"multipleOf has more than {_MOST_REMAINDERS} remainders in all")


def numbered(schema: Any) -> Any:
    """Write bounds so that they are kept to: none of the numbers that this adds is out of bounds."""
    return rewritten(schema, lambda inner: _listed(_negative(_bounded(inner))))


def _numbers(value: Any) -> Iterator[Any]:
    """Give all numbers of a value; it was decoded, so it nests no deeper than is sensible."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif _is_number(value):
        yield value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _decimal(number: Any) -> Decimal:
    return Decimal(repr(number))


def _exact(number: Any) -> bool:
    if isinstance(number, int):
        return abs(number) <= _EXACT
    _, digits, power = _decimal(number).normalize(_EXACTLY).as_tuple()
    whole = int("".join(map(str, digits)))
    return whole <= _EXACT and abs(int(power)) <= _POWER


def _remainders(parts: Iterable[Decimal]) -> int:
    """Count the remainders of the least common multiple, in units of the smallest digit."""
    plain = [part.normalize(_EXACTLY).as_tuple() for part in parts]
    least = min((int(part.exponent) for part in plain), default=0)
    if any(int(part.exponent) - least > _POWER for part in plain):
        return _MOST_REMAINDERS + 1
    wholes = (
        int("".join(map(str, part.digits))) * 10 ** (int(part.exponent) - least) for part in plain
    )
    return math.lcm(*wholes)


def _bounded(schema: Schema) -> Schema:
    """Bound integers by their format, and bring bounds to numbers that are what they are."""
    made = dict(schema)
    kind, whole = schema.get("format"), _whole(schema.get("type"))
    if whole and isinstance(kind, str) and kind in _WIDTHS:
        sign, bits = _WIDTHS[kind]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        made["minimum"] = max(low, _bound(schema.get("minimum"), low))
        made["maximum"] = min(high, _bound(schema.get("maximum"), high))
    for key, away in (("minimum", math.inf), ("maximum", -math.inf)):
        if isinstance(bound := made.get(key), int) and abs(bound) > _EXACT:
            made[key] = _inward(bound, away)
    least = made.get("minimum")
    if whole and isinstance(least, int) and -(2**64) <= least < -_WIDEST:
        made["minimum"] = -_WIDEST
    return made


def _whole(kind: Any) -> bool:
    """Whether all numbers of a type are integers."""
    return "integer" in kind and "number" not in kind if isinstance(kind, str | list) else False


def _bound(given: Any, otherwise: int) -> Any:
    return given if _is_number(given) else otherwise


def _inward(bound: int, away: float) -> int | float:
    """Give the next number in a direction that floating point has."""
    try:
        near = float(bound)
    except OverflowError:
        return bound
    beyond = int(near) < bound if away > 0 else int(near) > bound
    return int(math.nextafter(near, away)) if beyond else int(near)


def _negative(schema: Schema) -> Schema:
    """Keep zero out of what is below it: -0 is written like a number that is."""
    if schema.get("type") == "integer" or schema.get("exclusiveMaximum") != 0:
        return schema
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    if not _is_number(least) or least >= _BELOW_ZERO:
        return schema
    bare = {key: value for key, value in schema.items() if key != "exclusiveMaximum"}
    return bare | {"maximum": min(_BELOW_ZERO, _bound(bare.get("maximum"), 0))}


def _listed(schema: Schema) -> Schema:
    """List the multiples of a fraction where bounds leave only some."""
    part, kind = schema.get("multipleOf"), schema.get("type")
    if kind != "number" or not _is_number(part) or part <= 0 or {"enum", "const"} & set(schema):
        return schema
    unit = _decimal(part)
    low = _least(schema, unit)
    high = _most(schema, unit)
    if low is None or high is None or unit == unit.to_integral_value():
        return schema
    if not 0 <= high - low < _MOST_LISTED:
        return schema
    bare = {key: value for key, value in schema.items() if key not in _BOUNDS}
    return bare | {"enum": [float(n * unit) for n in range(low, high + 1)]}


def _least(schema: Schema, unit: Decimal) -> int | None:
    found = []
    if _is_number(bound := schema.get("minimum")):
        found.append(_times(_decimal(bound), unit, ROUND_CEILING))
    if _is_number(bound := schema.get("exclusiveMinimum")):
        found.append(_times(_decimal(bound), unit, ROUND_FLOOR) + 1)
    return max(found, default=None)


def _most(schema: Schema, unit: Decimal) -> int | None:
    found = []
    if _is_number(bound := schema.get("maximum")):
        found.append(_times(_decimal(bound), unit, ROUND_FLOOR))
    if _is_number(bound := schema.get("exclusiveMaximum")):
        found.append(_times(_decimal(bound), unit, ROUND_CEILING) - 1)
    return min(found, default=None)


def _times(bound: Decimal, unit: Decimal, rounding: str) -> int:
    return int((_EXACTLY.divide(bound, unit)).to_integral_value(rounding))
