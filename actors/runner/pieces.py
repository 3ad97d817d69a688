"""The engine's deltas to typed pieces, and where a resumed stream goes on.

A resumed stream brings the tokens that were delivered. Their text is parsed once more, so that the
parser stands where the dead runner's stood, and what the client has is left out by counting: the
joined output of a parser does not depend on how its input was cut.
"""

import secrets
import string
from collections.abc import Callable, Sequence

from actorllm.actors.runner.engine.text import TextAssembler
from actorllm.actors.runner.engine.types import Delta, Finish, TokenLogprob
from actorllm.actors.runner.messages import Resume
from actorllm.actors.runner.parse import OutputParser, Parsed, join
from actorllm.protocol.chat import ToolCall
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.generation import Chunk, Logprob, TopLogprob

__all__ = ["Pieces", "call_id"]

_NOTHING = Parsed()
_LONG = string.ascii_letters + string.digits
_SHORT = string.ascii_lowercase + string.digits


def call_id(*, native: bool) -> str:
    """A fresh id of a tool call: 32 letters and digits, or `call_` and 8 behind a Go template."""
    if native:
        return "".join(secrets.choice(_LONG) for _ in range(32))
    return "call_" + "".join(secrets.choice(_SHORT) for _ in range(8))


class Pieces:
    """Turns deltas into chunks.

    Args:
        parser: Fresh, for this answer.
        detokenize: Tokens to bytes.
        resume: What was delivered before.
        stops: The stop sequences of the work.
        new_id: Makes ids of tool calls.
        hold_calls: Keep calls back until the end: so clients of Jinja models know them.
        one_call: Give the first call only, also where no grammar could keep the model to one.
    """

    def __init__(
        self,
        parser: OutputParser,
        detokenize: Callable[[Sequence[int]], bytes],
        resume: Resume,
        stops: Sequence[str],
        new_id: Callable[[], str],
        *,
        hold_calls: bool = False,
        one_call: bool = False,
    ) -> None:
        self._parser = parser
        self._new_id = new_id
        self._hold_calls = hold_calls
        self._held: tuple[ToolCall, ...] = ()
        self._one_call = one_call
        self._calls = 0
        self.calls_left_out = 0
        self._skip_content = resume.content
        self._skip_thinking = resume.thinking
        self._skip_calls = resume.tool_calls
        self.unparsed = False
        """Whether a call could not be read."""
        self._raw: list[str] = []
        self._replayed = _NOTHING
        if resume.tokens:
            assembler = TextAssembler(stops)
            text = "".join(assembler.feed(detokenize([token])) for token in resume.tokens)
            self._raw.append(text)
            self._replayed = self._take(parser.feed(text))

    @property
    def raw(self) -> str:
        """The model's text so far, before any parsing."""
        return "".join(self._raw)

    def feed(self, deltas: Sequence[Delta]) -> tuple[Chunk, tuple[int, ...], Finish | None]:
        """Join deltas into a chunk, the tokens in it, and the finish if it came."""
        text = "".join([delta.text for delta in deltas])
        self._raw.append(text)
        parsed = self._take(self._parser.feed(text)) if text else _NOTHING
        finish = deltas[-1].finish
        if self._replayed or finish is not None:
            last = _NOTHING if finish is None else self._take(self._parser.finish())
            parsed = join([self._replayed, parsed, last])
            self._replayed = _NOTHING
        calls = self._held + parsed.tool_calls
        holds = self._hold_calls and finish is None
        self._held = calls if holds else ()
        logprobs = tuple([_logprob(p) for delta in deltas for p in delta.logprobs])
        chunk = Chunk(parsed.content, parsed.thinking, () if holds else calls, logprobs)
        tokens = tuple([token for delta in deltas for token in delta.tokens])
        return chunk, tokens, finish

    def _take(self, parsed: Parsed) -> Parsed:
        """Leave out what was delivered before, and give calls their ids."""
        self.unparsed = self.unparsed or parsed.unparsed
        skips = self._skip_content or self._skip_thinking or self._skip_calls
        if not (skips or parsed.tool_calls):
            return parsed
        content = parsed.content[self._skip_content :]
        thinking = parsed.thinking[self._skip_thinking :]
        allowed = self._allowed(parsed.tool_calls)
        calls = allowed[self._skip_calls :]
        self._skip_content -= len(parsed.content) - len(content)
        self._skip_thinking -= len(parsed.thinking) - len(thinking)
        self._skip_calls -= len(allowed) - len(calls)
        named = tuple(self._with_id(call) for call in calls)
        return Parsed(content=content, thinking=thinking, tool_calls=named)

    def _allowed(self, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        most = max(1 - self._calls, 0) if self._one_call else len(calls)
        self._calls += len(calls)
        self.calls_left_out += len(calls[most:])
        return calls[:most]

    def _with_id(self, call: ToolCall) -> ToolCall:
        if call.id:
            return call
        return evolve(call, id=self._new_id())


def _logprob(report: TokenLogprob) -> Logprob:
    chosen = report.chosen
    return Logprob(
        token=_text(chosen.piece),
        logprob=chosen.logprob,
        bytes=tuple(chosen.piece),
        top=tuple(TopLogprob(_text(t.piece), t.logprob, tuple(t.piece)) for t in report.top),
    )


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")
