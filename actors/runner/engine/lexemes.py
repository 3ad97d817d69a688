r"""GBNF in llguidance's notation: what is a lexeme, and what are characters one by one.

llguidance reads lexemes as long as they get. A grammar of characters knows no such thing, so a part
without recursion is a lexeme only where no character that may follow could belong to it, too:

    num   ::= [0-9]+            a lexeme before "+", and not before [0-9]
    text  ::= [a-z\n]* "\n"      one by one: which of the line ends is the last is seen later

Where two lexemes may begin at the same place, as a keyword and a name, the longest that there is
counts: so some ways to write a text are lost, and nothing else is let through.

Sets of characters are bits: one for each stretch of characters that no part of the grammar tells
apart. FIRST and FOLLOW are those of parsing theory.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping

from actorllm.actors.runner.engine.gbnf import (
    Chars,
    Choice,
    Node,
    Ref,
    Repeat,
    Series,
    Text,
    read,
)
from actorllm.actors.runner.engine.types import EngineError

__all__ = ["lark_of"]

_MOST_WORK = 1_000_000
"""Parts that are looked at until all is known: about a second."""
_MOST_BOUNDS = 1000
"""Edges of sets of characters; of more, neighbours are taken for the same."""
_MOST_RULES = 5000
"""Rules that are written: a part may be written anew where something else follows."""


def lark_of(text: str) -> str:
    """Write a grammar in GBNF anew.

    Raises:
        EngineError: It is malformed or too large.
    """
    facts = _Facts(read(text))
    trial = _Writer(facts, 0)
    written = trial.write()
    return _Writer(facts, trial.loose).write() if trial.loose else written


class _Facts:
    """What is true of the rules and of their parts."""

    def __init__(self, rules: Mapping[str, Node]) -> None:
        self.rules = rules
        self._bounds = sorted({edge for node in rules.values() for edge in _edges(node)})
        self._bounds = self._bounds[:: len(self._bounds) // _MOST_BOUNDS + 1]
        self._sizes = {name: sum(1 for _ in _parts(node)) for name, node in rules.items()}
        self._work = 0
        refs = {name: frozenset(_refs(node)) for name, node in rules.items()}
        for name in frozenset[str]().union(*refs.values()):
            if name not in rules:
                raise EngineError(f"there is no rule '{name[:40]}'")
        self.regular: dict[str, None] = {}
        """Names of rules without recursion, those first on which others build."""
        self._settle(lambda name: name not in self.regular and self._add(name, refs[name]))
        self._nullable: set[str] = set()
        self._settle(self._empties)
        self._first = dict.fromkeys(rules, 0)
        self._settle(self._begins)
        self._tails: dict[str, int] = {}
        self._alphabets: dict[str, int] = {}
        for name in self.regular:
            self._alphabets[name] = self._alphabet(rules[name])
            self._tails[name] = self.tail(rules[name])
        self.follow = dict.fromkeys(rules, 0)
        self._settle(self._follows)

    def _settle(self, look: Callable[[str], bool]) -> None:
        """Look at all rules up and down, again and again, until nothing changes."""
        names = list(self.rules)
        changed = True
        while changed:
            changed = False
            names.reverse()
            for name in names:
                self._work += self._sizes[name]
                changed |= look(name)
            if self._work > _MOST_WORK:
                raise EngineError("the grammar is too large")

    def _add(self, name: str, refs: frozenset[str]) -> bool:
        if refs <= self.regular.keys():
            self.regular[name] = None
            return True
        return False

    def _empties(self, name: str) -> bool:
        if name in self._nullable or not self.nullable(self.rules[name]):
            return False
        self._nullable.add(name)
        return True

    def _begins(self, name: str) -> bool:
        before = self._first[name]
        self._first[name] = self.first(self.rules[name])
        return self._first[name] != before

    def _follows(self, name: str) -> bool:
        return name not in self.regular and self._place(self.rules[name], self.follow[name])

    def _place(self, node: Node, after: int) -> bool:
        """Note what may follow references within a part; tell whether that was news."""
        match node:
            case Ref(name):
                before = self.follow[name]
                self.follow[name] |= after
                return self.follow[name] != before
            case Choice(options):
                return any([self._place(option, after) for option in options])  # noqa: C419 -- all
            case Repeat(part, _, most):
                return self._place(part, after | (0 if most == 1 else self.first(part)))
            case Series(parts):
                places = self.behind(parts, after)
                return any([self._place(part, behind) for part, behind in places])  # noqa: C419
            case _:
                return False

    def behind(self, parts: tuple[Node, ...], after: int) -> list[tuple[Node, int]]:
        """Give each part of a series with what may follow it."""
        made = []
        for part in reversed(parts):
            made.append((part, after))
            after = self.first(part) | (after if self.nullable(part) else 0)
        return made[::-1]

    def is_regular(self, node: Node) -> bool:
        return all(name in self.regular for name in _refs(node))

    def nullable(self, node: Node) -> bool:
        match node:
            case Chars():
                return False
            case Text(text):
                return not text
            case Ref(name):
                return name in self._nullable
            case Series(parts):
                return all(map(self.nullable, parts))
            case Choice(options):
                return any(map(self.nullable, options))
            case Repeat(part, least, _):
                return least == 0 or self.nullable(part)

    def first(self, node: Node) -> int:
        """Give the characters with which a part may begin."""
        match node:
            case Chars(ranges):
                return self._bits(ranges)
            case Text(text):
                return self._bits(((ord(text[0]), ord(text[0])),)) if text else 0
            case Ref(name):
                return self._first[name]
            case Series(parts):
                found = 0
                for part in parts:
                    found |= self.first(part)
                    if not self.nullable(part):
                        break
                return found
            case Choice(options):
                return _joined(map(self.first, options))
            case Repeat(part, _, most):
                return 0 if most == 0 else self.first(part)

    def tail(self, node: Node) -> int:
        """Give the characters that may come behind a whole part and still belong to it, or more."""
        match node:
            case Ref(name):
                return self._tails[name]
            case Series(parts):
                return self._tail_of_series(node, parts)
            case Choice(options):
                found = _joined(map(self.tail, options))
                firsts = [self.first(option) for option in options]
                apart = sum(firsts) == _joined(firsts)  # no bit comes twice
                empty = any(map(self.nullable, options))
                return (
                    found
                    | (_joined(firsts) if empty else 0)
                    | (0 if apart else _joined(map(self._alphabet, options)))
                )
            case Repeat(part, least, most):
                tail, first = self.tail(part), self.first(part)
                if tail & first:  # where one ends and the next begins is not to be seen
                    return self._alphabet(part)
                return tail | (0 if most == least else first)
            case _:
                return 0

    def _tail_of_series(self, node: Node, parts: tuple[Node, ...]) -> int:
        found, ends = 0, True
        for part, behind in reversed(self.behind(parts, 0)):
            tail = self.tail(part)
            if tail & behind:
                return self._alphabet(node)
            if ends:
                found |= tail
                ends = self.nullable(part)
                found |= self.first(part) if ends else 0
        return found

    def _alphabet(self, node: Node) -> int:
        match node:
            case Text(text):
                return self._bits((ord(c), ord(c)) for c in text)
            case Ref(name):
                return self._alphabets[name]
            case Series(parts) | Choice(parts):
                return _joined(map(self._alphabet, parts))
            case Repeat(part, _, _):
                return self._alphabet(part)
            case _:
                return self.first(node)

    def _bits(self, ranges: Iterable[tuple[int, int]]) -> int:
        found = 0
        for low, high in ranges:
            begin, end = bisect_right(self._bounds, low), bisect_right(self._bounds, high)
            found |= (2 << end) - (1 << begin)
        return found


class _Writer:
    """Writes rules. Texts that begin with characters of `loose` are written one by one, too."""

    def __init__(self, facts: _Facts, split: int) -> None:
        self._facts = facts
        self._split = split
        self.loose = 0
        """Characters that are written one by one."""
        self._names: dict[tuple[str, int], str] = {}
        self._terminals: dict[str, str] = {}
        self._wholes: dict[str, str] = {}
        self._lines: list[str] = []
        self._waiting: list[tuple[str, int]] = []

    def write(self) -> str:
        for name in self._facts.regular:
            self._wholes[name] = self._whole(self._facts.rules[name])
        self._lines.append(f"start: {self._rule('root', 0)}")
        while self._waiting:
            key = self._waiting.pop()
            if len(self._names) + len(self._terminals) > _MOST_RULES:
                raise EngineError("the grammar is too large")
            self._lines.append(
                f"{self._names[key]}: {self._body(self._facts.rules[key[0]], key[1])}"
            )
        lines = [f"{name}: {body}" for body, name in self._terminals.items()]
        return "\n".join([*self._lines, *lines, ""])

    def _rule(self, name: str, after: int) -> str:
        key = (name, after if name in self._facts.regular else self._facts.follow[name])
        if key not in self._names:
            self._names[key] = f"r{len(self._names)}"
            self._waiting.append(key)
        return self._names[key]

    def _body(self, node: Node, after: int) -> str:
        """Write a part before whose end `after` may follow."""
        facts = self._facts
        if isinstance(node, Text) and facts.first(node) & self._split:
            return " ".join(self._terminal(_regex(Text(c))) for c in node.text)
        if facts.is_regular(node) and not facts.tail(node) & after:
            return self._terminal(self._whole(node))
        match node:
            case Ref(name):
                return self._rule(name, after)
            case Choice(options):
                return "(" + " | ".join(self._body(option, after) for option in options) + ")"
            case Series(parts):
                return " ".join(self._body(p, a) for p, a in facts.behind(parts, after))
            case Repeat(part, least, most):
                first = facts.first(part)
                if first & after:
                    self.loose |= first
                inner = self._body(part, after | (0 if most == 1 else first))
                return f"({inner}){_times(least, most)}"
            case _:
                return self._terminal(_regex(node))

    def _whole(self, node: Node) -> str:
        """Write a part as one lexeme."""
        match node:
            case Ref(name):
                return self._terminal(self._wholes[name])
            case Series(parts):
                return " ".join(map(self._whole, parts)) or '""'
            case Choice(options):
                return "(" + " | ".join(map(self._whole, options)) + ")"
            case Repeat(part, least, most):
                return f"({self._whole(part)}){_times(least, most)}"
            case _:
                return _regex(node)

    def _terminal(self, body: str) -> str:
        return self._terminals.setdefault(body, f"T{len(self._terminals)}")


def _regex(node: Chars | Text) -> str:
    if isinstance(node, Chars):
        return "/[" + "".join(f"{_hex(low)}-{_hex(high)}" for low, high in node.ranges) + "]/"
    return "/" + "".join(_hex(ord(c)) for c in node.text) + "/" if node.text else '""'


def _hex(number: int) -> str:
    return f"\\x{{{number:x}}}"


def _times(least: int, most: int | None) -> str:
    return f"{{{least},{'' if most is None else most}}}"


def _joined(sets: Iterable[int]) -> int:
    found = 0
    for bits in sets:
        found |= bits
    return found


def _parts(node: Node) -> Iterator[Node]:
    """Go through a part and those within it."""
    yield node
    match node:
        case Series(parts) | Choice(parts):
            for part in parts:
                yield from _parts(part)
        case Repeat(part, _, _):
            yield from _parts(part)


def _refs(node: Node) -> Iterator[str]:
    return (part.name for part in _parts(node) if isinstance(part, Ref))


def _edges(node: Node) -> Iterator[int]:
    for part in _parts(node):
        if isinstance(part, Text):
            for c in part.text:
                yield from (ord(c), ord(c) + 1)
        elif isinstance(part, Chars):
            for low, high in part.ranges:
                yield from (low, high + 1)
