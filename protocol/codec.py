"""Messages to bytes and back: frozen attrs classes as tagged msgpack.

A frame is the msgpack array `[tag, {field: value}]`. The tag names the class; both ends run the
same version of this package (the hello of a process transport checks it). Decoding is strict: a
value of another type than the field's annotation is an error, never a conversion, and so is an
unknown or a missing field.
"""

from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Generic, TypeVar, dataclass_transform, get_args, get_origin

import attrs
import msgpack
from cattrs import Converter
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from actorllm.protocol.records import record

__all__ = [
    "MAX_FRAME",
    "Ask",
    "CodecError",
    "Message",
    "Stream",
    "Tell",
    "Value",
    "decode",
    "encode",
    "evolve",
    "message",
]

MAX_FRAME = 64 * 1024 * 1024
"""Largest frame that is encoded or decoded, in bytes."""

_MAX_DEPTH_ERRORS = (RecursionError, ValueError, TypeError, KeyError, OverflowError)

T = TypeVar("T")
R = TypeVar("R")


class CodecError(ValueError):
    """A frame that cannot be encoded, or bytes that are no message of ours."""


class Message:
    """What can be said: base of all message classes. Subclass one of the four kinds."""

    __slots__ = ()


class Value(Message):
    """A reply or an item of a stream."""

    __slots__ = ()


class Tell(Message):
    """A message that is not answered."""

    __slots__ = ()


class Ask(Message, Generic[R]):
    """A message that is answered once, by an `R`."""

    __slots__ = ()


class Stream(Message, Generic[R]):
    """A message that is answered by a stream of `R`."""

    __slots__ = ()


_by_tag: dict[str, type[Message]] = {}
_tags: dict[type[Message], str] = {}


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def message(cls: type[T]) -> type[T]:
    """Make a class a frozen attrs class and, if it is a `Message`, register its tag.

    The tag is `module.Class` with the module's last part only, so two message classes of one name
    in modules of one name clash.

    Raises:
        TypeError: Another class has the tag.
    """
    made = record(cls)
    if issubclass(made, Message):
        tag = f"{cls.__module__.rpartition('.')[2]}.{cls.__qualname__}"
        known = _by_tag.get(tag)
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(f"two message classes have the tag {tag!r}")
        _by_tag[tag] = made
        _tags[made] = tag
    return made


def evolve(value: T, **changes: Any) -> T:
    """Return a copy of a message, or of a part of one, with some fields changed.

    Type checkers do not see that `message` makes attrs classes, so that `attrs.evolve` will not do.
    """
    copy: T = attrs.evolve(value, **changes)  # type: ignore[misc]
    return copy


def _strict(kind: type[T]) -> Callable[[Any, type[T]], T]:
    def structure(value: Any, _: type[T]) -> T:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return structure


def _strict_float(value: Any, _: type[float]) -> float:
    if type(value) is float:
        return value
    if type(value) is int:  # msgpack keeps 1 and 1.0 apart; a float field may hold either
        return float(value)
    raise TypeError(f"expected float, got {type(value).__name__}")


def _sequence(value: Any, kind: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"expected {kind}, got {type(value).__name__}")
    return value


def _is_plain_union(kind: Any) -> bool:
    """Unions of primitives, None and raw JSON; their values pass through after a check."""
    return isinstance(kind, UnionType) and set(kind.__args__) <= _PLAIN


_PLAIN = {bool, int, float, str, bytes, type(None)}


def _structure_plain_union(value: Any, kind: Any) -> Any:
    if type(value) in kind.__args__:
        return value
    if type(value) is int and float in kind.__args__:
        return float(value)
    raise TypeError(f"expected {kind}, got {type(value).__name__}")


def _is_scalar_tuple(kind: Any) -> bool:
    args = get_args(kind)
    return get_origin(kind) is tuple and args[1:] == (...,) and args[0] in _PLAIN


def _scalar_tuple_fn(kind: Any) -> Callable[[Any, Any], Any]:
    # Token ids come by the thousand: one pass in C instead of a hook for each.
    wanted, _ = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        items = tuple(_sequence(value, "array"))
        if not set(map(type, items)) <= {wanted}:
            if wanted is float and set(map(type, items)) <= {int, float}:
                return tuple(map(float, items))
            raise TypeError(f"expected an array of {wanted.__name__}")
        return items

    return structure


def _is_json_object(kind: Any) -> bool:
    return get_origin(kind) is dict and get_args(kind)[1] is Any


def _structure_json_object(value: Any, _: Any) -> Any:
    if type(value) is not dict:
        raise TypeError(f"expected a map, got {type(value).__name__}")
    return value


def _is_attrs(kind: Any) -> bool:
    return isinstance(kind, type) and attrs.has(kind)


def _unstructure_fn(kind: Any) -> Callable[[Any], Any]:
    # Defaults are left out: most fields of most messages have theirs, and bytes are time.
    attrs.resolve_types(kind)  # a class that holds its own kind names it as a string
    return make_dict_unstructure_fn(kind, _converter, _cattrs_omit_if_default=True)


def _structure_fn(kind: Any) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(kind)
    return make_dict_structure_fn(
        kind,
        _converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=False,
    )


_converter = Converter(detailed_validation=False, forbid_extra_keys=True)
for _kind in (bool, int, str, bytes):
    _converter.register_structure_hook(_kind, _strict(_kind))
    _converter.register_unstructure_hook(_kind, lambda value: value)
_converter.register_structure_hook(float, _strict_float)
_converter.register_structure_hook(Any, lambda value, _: value)
_converter.register_structure_hook_func(_is_plain_union, _structure_plain_union)
_converter.register_structure_hook_factory(_is_scalar_tuple, _scalar_tuple_fn)
_converter.register_unstructure_hook_func(_is_scalar_tuple, lambda value: value)
_converter.register_structure_hook_func(_is_json_object, _structure_json_object)
_converter.register_unstructure_hook_func(_is_json_object, lambda value: value)
_converter.register_unstructure_hook_factory(_is_attrs, _unstructure_fn)
_converter.register_structure_hook_factory(_is_attrs, _structure_fn)


def encode(value: Message) -> bytes:
    """Encode a message.

    Raises:
        CodecError: Its class is not registered, or a field holds what msgpack cannot say.
    """
    kind = type(value)
    tag = _tags.get(kind)
    if tag is None:
        raise CodecError(f"{kind.__name__} is not a message class")
    try:
        packed: bytes = msgpack.packb((tag, _converter.unstructure(value, kind)), use_bin_type=True)
    except _MAX_DEPTH_ERRORS as e:
        raise CodecError(f"cannot encode {tag}: {e}") from e
    if len(packed) > MAX_FRAME:
        raise CodecError(f"{tag} takes {len(packed)} bytes, more than the frame limit {MAX_FRAME}")
    return packed


def decode(frame: bytes | memoryview) -> Message:
    """Decode a frame that `encode` made.

    Raises:
        CodecError: The bytes are malformed, the tag is unknown or a field has a wrong type.
    """
    try:
        tag, fields = msgpack.unpackb(frame, strict_map_key=True)
        kind = _by_tag[tag]
    except (*_MAX_DEPTH_ERRORS, msgpack.UnpackException) as e:
        raise CodecError(f"not a message: {type(e).__name__}: {e}") from e
    try:
        value = _converter.structure(fields, kind)
    except (*_MAX_DEPTH_ERRORS, BaseValidationError, StructureHandlerNotFoundError) as e:
        raise CodecError(f"bad {tag}: {e}") from e
    return value
