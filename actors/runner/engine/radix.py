"""A radix tree over token ids: which of the known sequences begin like a prompt, and how far.

Every node knows all holders whose keys pass through it, so that one walk along a prompt tells the
common prefix of each of them. Nodes hold runs of tokens; a node with a single child that all its
holders share is merged with it.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

__all__ = ["RadixTree", "common_prefix"]

T = TypeVar("T", bound=Hashable)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Count the tokens that two sequences of the same type begin with alike."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    low, high = 0, length  # a[:low] is alike, a[:high] is not
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


class _Node(Generic[T]):
    """A run of tokens behind those of its parent."""

    __slots__ = ("children", "holders", "run")

    def __init__(self, run: tuple[int, ...]) -> None:
        self.run = run
        self.children: dict[int, _Node[T]] = {}
        self.holders: dict[T, None] = {}
        """Those whose keys go on to the end of the run, in order of their coming."""


class RadixTree(Generic[T]):
    """Keys of tokens and their holders; a holder has one key."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node(())
        self._keys: dict[T, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, holder: T) -> bool:
        return holder in self._keys

    def insert(self, key: Sequence[int], holder: T) -> None:
        """Note that a holder has a key; it replaces the one that it had."""
        self.discard(holder)
        tokens = tuple(key)
        self._keys[holder] = tokens
        node, at = self._root, 0
        while at < len(tokens):
            child = node.children.get(tokens[at])
            if child is None:
                child = node.children[tokens[at]] = _Node(tokens[at:])
            else:
                alike = common_prefix(child.run, tokens[at:])
                if alike < len(child.run):
                    child = _split(node, child, alike)
            child.holders[holder] = None
            at += len(child.run)
            node = child

    def discard(self, holder: T) -> None:
        """Forget a holder, if it is known."""
        tokens = self._keys.pop(holder, ())
        node, at = self._root, 0
        while at < len(tokens):
            child = node.children[tokens[at]]
            at += len(child.run)
            del child.holders[holder]
            if not child.holders:
                del node.children[child.run[0]]
                break
            node = child
        self._merge(tokens[:at])

    def key(self, holder: T) -> tuple[int, ...]:
        """Give a holder's key; empty if it is not known."""
        return self._keys.get(holder, ())

    def shared(self, tokens: Sequence[int]) -> dict[T, int]:
        """Give all holders that begin like a prompt, and how many tokens they share with it.

        Whoever shares most comes first.
        """
        prompt = tuple(tokens)
        steps: list[tuple[_Node[T], int]] = []
        node, at = self._root, 0
        while at < len(prompt):
            child = node.children.get(prompt[at])
            if child is None:
                break
            alike = common_prefix(child.run, prompt[at : at + len(child.run)])
            at += alike
            steps.append((child, at))
            if alike < len(child.run):
                break
            node = child
        found: dict[T, int] = {}
        for node, length in reversed(steps):
            for holder in node.holders:
                found.setdefault(holder, length)
        return found

    def _merge(self, tokens: tuple[int, ...]) -> None:
        """Join the nodes along a path that no key ends or branches between any more."""
        node, at = self._root, 0
        while at < len(tokens) and (child := node.children.get(tokens[at])) is not None:
            while len(child.children) == 1:
                (only,) = child.children.values()
                if len(only.holders) != len(child.holders):
                    break
                child.run += only.run
                child.children = only.children
            at += len(child.run)
            node = child


def _split(parent: _Node[T], child: _Node[T], at: int) -> _Node[T]:
    """Cut a node's run in two; give the upper one."""
    upper: _Node[T] = _Node(child.run[:at])
    upper.holders = dict(child.holders)
    upper.children[child.run[at]] = child
    parent.children[child.run[0]] = upper
    child.run = child.run[at:]
    return upper
