"""Parameters of a model as people type them."""

from collections.abc import Sequence
from typing import Any

from actorllm.cli.errors import Failure
from actorllm.cli.text import one_line
from actorllm.protocol.modelfile import ModelfileError, parse_parameter

__all__ = ["parameter_value"]


def parameter_value(name: str, words: Sequence[str]) -> Any:
    """Convert the words after a parameter's name to its type; an array takes them all.

    Raises:
        Failure: There is no such parameter, or it takes no such value.
    """
    try:
        value = parse_parameter(name, " ".join(words))
    except ModelfileError as e:
        raise Failure(one_line(str(e))) from e
    return list(words) if isinstance(value, list) else value
