"""Two parsers in a row: the content of the first is the text of the second."""

from attrs import evolve

from actorllm.actors.runner.parse.parsed import OutputParser, Parsed

__all__ = ["Chain"]


class Chain:
    """Splits off what `first` finds, then what `second` finds in the content that is left."""

    def __init__(self, first: OutputParser, second: OutputParser) -> None:
        self._first = first
        self._second = second

    def feed(self, text: str) -> Parsed:
        step = self._first.feed(text)
        return _merge(step, self._second.feed(step.content))

    def finish(self) -> Parsed:
        step = self._first.finish()
        fed = _merge(step, self._second.feed(step.content))
        rest = self._second.finish()
        return evolve(
            fed,
            content=fed.content + rest.content,
            thinking=fed.thinking + rest.thinking,
            tool_calls=fed.tool_calls + rest.tool_calls,
            unparsed=fed.unparsed or rest.unparsed,
        )


def _merge(first: Parsed, second: Parsed) -> Parsed:
    return Parsed(
        content=second.content,
        thinking=first.thinking + second.thinking,
        tool_calls=first.tool_calls + second.tool_calls,
        unparsed=first.unparsed or second.unparsed,
    )
