"""Two parsers in a row: the content of the first is the text of the second."""

from attrs import evolve

from actorllm.actors.runner.parse.parsed import OutputParser, Parsed, Sink

__all__ = ["Chain"]


class Chain:
    """Splits off what `first` finds, then what `second` finds in the content that is left."""

    def __init__(self, first: OutputParser, second: OutputParser) -> None:
        self._first = first
        self._second = second
        self._sink = Sink()

    def feed(self, text: str) -> Parsed:
        self._pass_on(self._first.feed(text))
        return self._sink.take()

    def finish(self) -> Parsed:
        self._pass_on(self._first.finish())
        self._sink.add(self._second.finish())
        return self._sink.take()

    def _pass_on(self, step: Parsed) -> None:
        self._sink.add(evolve(step, content=""))
        self._sink.add(self._second.feed(step.content))
