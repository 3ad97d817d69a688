"""Answers that are rows of messages, each of which says to whom it goes."""

from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

from actorllm.actors.runner.forms.declared import Parameters, json_arguments
from actorllm.actors.runner.forms.grammar import SPACES, Grammar
from actorllm.actors.runner.forms.marked import Shape
from actorllm.actors.runner.forms.pieces import Writes
from actorllm.actors.runner.parse.calls import Toolbox
from actorllm.actors.runner.parse.harmony import harmony_names

__all__ = ["Functionary", "Glimmer", "Harmony"]

_START = "<|start|>assistant"


def _words(g: Grammar, mark: str) -> str:
    """Give the rule of what is said, up to the end of the answer."""
    return g.no_mark(mark) if g.answer is None else g.json(g.answer)


@frozen
class Harmony:
    """gpt-oss: analysis and preambles, then one call or the final answer. A call ends the answer."""

    thinks: ClassVar[bool] = True

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""
        again = f"{g.to_mark('<|end|>')} {g.mark(_START)}"
        before = [f"{g.mark('<|channel|>analysis<|message|>')} {again}"]
        ways = []
        if shape.words:
            before.append(f"{g.mark('<|channel|>commentary<|message|>')} {again}")
            final = [g.mark("<|channel|>final<|message|>")]
            final.append(g.mark("<|channel|>final <|constrain|>json<|message|>"))
            said = f"({_words(g, '<|end|>')})?" if g.answer is None else _words(g, "")
            ways.append(f"{g.either(final if g.answer is not None else final[:1])} {said}")
        if shape.calls:
            ways.append(g.either([self._call(g, tool) for tool in tools]))
        return f"({g.either(before)})* {g.either(ways)}"

    def _call(self, g: Grammar, tool: Parameters) -> str:
        box = Toolbox([{"function": {"name": tool.name}}])
        name = next(iter(harmony_names(box)))
        heads = (
            f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
            f" to=functions.{name}<|channel|>commentary <|constrain|>json<|message|>",
            f" to=functions.{name}<|channel|>commentary json<|message|>",
        )
        return f"{g.either([g.mark(head) for head in heads])} {json_arguments(g, tool)}"


@frozen
class Glimmer:
    """Messages to oneself, then to the user or to tools."""

    thinks: ClassVar[bool] = True

    writes: Writes
    open: str
    close: str

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""
        again = f"{g.mark('<|eom|>')} {g.mark(_START)}"
        own = f"{g.mark(' to=self<|message|>')} {g.to_mark('<|eom|>')} {g.mark(_START)}"
        user = f"{g.mark(' to=user<|message|>')}"
        said = _words(g, "<|eom|>")
        calls = ""
        if shape.calls:
            one = g.either([self._call(g, tool) for tool in tools])
            calls = g.rule(f"{one} ({again} {one})*" if shape.many else one)
        ways = []
        if shape.words:
            ways.append(f"{user} ({said})?" if g.answer is None else f"{user} {said}")
            if calls and g.answer is None:
                ways.append(f"{user} {g.to_mark('<|eom|>')} {g.mark(_START)} {calls}")
        if calls:
            ways.append(calls)
        return f"({g.rule(own)})* {g.either(ways)}"

    def _call(self, g: Grammar, tool: Parameters) -> str:
        head = g.mark(f" to={tool.name}<|message|>{self.open}")
        return f"{head} {SPACES} {self.writes(g, tool)} {SPACES} {g.mark(self.close)}"


@frozen
class Functionary:
    """Version 3.2: `all` and words, or a tool and its arguments, in messages behind `>>>`."""

    thinks: ClassVar[bool] = False

    def write(self, g: Grammar, tools: Sequence[Parameters], shape: Shape) -> str:
        """Give what stands in the rule of the whole answer."""
        everybody, next_ = g.mark("all\n"), g.mark(">>>")
        said = _words(g, ">>>")
        ways = []
        calls = ""
        if shape.calls:
            one = g.either(
                [f"{g.mark(tool.name + chr(10))} {json_arguments(g, tool)}" for tool in tools]
            )
            calls = g.rule(f"{one} ({SPACES} {next_} {one})*" if shape.many else one)
            ways.append(calls)
        if shape.words:
            ways.append(f"{everybody} ({said})?" if g.answer is None else f"{everybody} {said}")
        if shape.words and calls and g.answer is None:
            ways.append(f"{everybody} {g.to_mark('>>>')} {calls}")
        return g.either(ways)
