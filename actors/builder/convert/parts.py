"""Which parts of which tensors of a checkpoint make a tensor of the GGUF file.

A checkpoint's tensor is cut into one or more pieces under names that the `gguf` package's name maps
know; pieces of experts are then put together. Nothing here reads a number: the layouts are
functions for later.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs
import numpy as np

from actorllm.actors.builder.convert.errors import ConvertError

__all__ = ["Cut", "Joined", "gate_and_up", "joined", "permuted", "sliced", "whole"]

Array = np.ndarray[Any, np.dtype[Any]]
Layout = Callable[[Array], Array]

_EXPERT: Final = re.compile(r"(.*\.experts)\.(\d{1,4})\.(.+)")
_MAX_EXPERTS: Final = 1024


@attrs.frozen
class Cut:
    """A piece of a checkpoint's tensor."""

    source: str
    """Name in the checkpoint."""
    name: str
    """Name under which it goes on."""
    shape: tuple[int, ...]
    layout: Layout
    """Takes the piece out of the tensor; it moves numbers and never changes them."""


@attrs.frozen
class Joined:
    """A tensor as it goes into the GGUF file, in the order of its pieces."""

    name: str
    shape: tuple[int, ...]
    cuts: tuple[Cut, ...]


def whole(source: str, name: str, shape: tuple[int, ...]) -> Cut:
    """Take a tensor as it is."""
    return Cut(source, name, shape, lambda array: array)


def permuted(cut: Cut, heads: int) -> Cut:
    """Reorder the rows of each head from halves to pairs.

    Hugging Face rotates the first half of a head against the second, llama.cpp's original
    architectures rotate neighbours.

    Raises:
        ConvertError: The rows are not whole heads of an even size.
    """
    rows, *rest = cut.shape
    if rows % (2 * heads):
        raise ConvertError(f"tensor {cut.source} has {rows} rows, which are not {heads} heads")
    paired = (heads, 2, rows // heads // 2, *rest)
    shape = cut.shape
    return attrs.evolve(
        cut, layout=lambda array: array.reshape(paired).swapaxes(1, 2).reshape(shape)
    )


def sliced(cut: Cut, name: str, axis: int, start: int, stop: int) -> Cut:
    """Take a range of one dimension, under a name."""
    where = (slice(None),) * axis + (slice(start, stop),)
    shape = (*cut.shape[:axis], stop - start, *cut.shape[axis + 1 :])
    return Cut(cut.source, name, shape, lambda array: array[where])


def gate_and_up(cut: Cut, gate: str, up: str) -> tuple[Cut, Cut]:
    """Take a tensor apart that holds the gates of all experts, each with its up behind it.

    Args:
        cut: Experts, then gates and ups, then what they are applied to.
        gate: Name of the gates.
        up: Name of the ups.

    Raises:
        ConvertError: It has another shape.
    """
    if len(cut.shape) != 3 or cut.shape[1] % 2:
        raise ConvertError(f"tensor {cut.source} does not hold gates and ups of experts")
    half = cut.shape[1] // 2
    return sliced(cut, gate, 1, 0, half), sliced(cut, up, 1, half, 2 * half)


def joined(cuts: Iterable[Cut]) -> list[Joined]:
    """Stack what belongs to numbered experts; the rest is one piece each.

    Raises:
        ConvertError: A name occurs twice, or an expert is missing or of another shape.
    """
    single: dict[str, Cut] = {}
    experts: dict[str, dict[int, Cut]] = {}
    for cut in cuts:
        found = _EXPERT.fullmatch(cut.name)
        if found is None:
            if single.setdefault(cut.name, cut) is not cut:
                raise ConvertError(f"two tensors are both {cut.name}: {cut.source} is one of them")
        else:
            group = experts.setdefault(f"{found[1]}.{found[3]}", {})
            if group.setdefault(int(found[2]), cut) is not cut:
                raise ConvertError(f"tensor {cut.source} is there twice")
    whole_ones = [Joined(name, cut.shape, (cut,)) for name, cut in single.items()]
    stacks = [_stacked(name, group) for name, group in experts.items()]
    twice = {one.name for one in whole_ones} & {one.name for one in stacks}
    if twice:
        raise ConvertError(f"{min(twice)} is there both whole and expert by expert")
    return whole_ones + stacks


def _stacked(name: str, group: dict[int, Cut]) -> Joined:
    if len(group) > _MAX_EXPERTS or sorted(group) != list(range(len(group))):
        raise ConvertError(f"experts of {name} are missing")
    cuts: Sequence[Cut] = [group[index] for index in range(len(group))]
    if any(cut.shape != cuts[0].shape for cut in cuts):
        raise ConvertError(f"experts of {name} differ in their shapes")
    return Joined(name, (len(cuts), *cuts[0].shape), tuple(cuts))
