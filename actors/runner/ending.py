"""What is said of a generation at its end, and of what was lost on the way."""

from collections.abc import Iterator

from actorllm.actors.runner.engine.types import Finish, Loaded
from actorllm.actors.runner.messages import Generate
from actorllm.actors.runner.pieces import Pieces
from actorllm.actors.runner.prompting import Prepared
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import Done

__all__ = ["done_of", "lost", "rendered"]

_NS = 1_000_000_000


def lost(prepared: Prepared) -> dict[str, int]:
    """Give what a prompt lost to fit, for the log."""
    return {
        "messages": prepared.truncated_messages,
        "tokens": prepared.truncated_tokens,
        "n_ctx": prepared.window,
    }


def rendered(prepared: Prepared) -> Done:
    return Done(
        "",
        rendered=prepared.text,
        image_count=prepared.images,
        truncated_messages=prepared.truncated_messages,
        truncated_tokens=prepared.truncated_tokens,
    )


def done_of(
    m: Generate, loaded: Loaded, prepared: Prepared, finish: Finish, pieces: Pieces
) -> Done:
    """Say how a generation ended.

    Raises:
        Refused: 500, it broke.
    """
    if finish.reason in ("error", "cancelled"):
        raise Refused.because(500, finish.error or "the generation was cancelled")
    return Done(
        finish.reason,
        prompt_eval_count=finish.prompt_tokens,
        prompt_cached_count=finish.cached_tokens,
        prompt_eval_duration=max(1, int(finish.prompt_seconds * _NS)),
        eval_count=finish.generated_tokens,
        eval_duration=max(1, int(finish.generation_seconds * _NS)),
        thinking_count=finish.thinking_tokens,
        think_budget=prepared.thinking.budget if prepared.thinking is not None else None,
        notices=tuple(_notices(m, loaded, prepared, finish, pieces)),
        truncated_messages=prepared.truncated_messages,
        truncated_tokens=prepared.truncated_tokens,
        shifted_tokens=finish.discarded_tokens,
        stop_sequence=finish.stop_text,
    )


def _notices(
    m: Generate, loaded: Loaded, prepared: Prepared, finish: Finish, pieces: Pieces
) -> Iterator[str]:
    """Tell what did not go as it was asked for, a line each."""
    if pieces.unparsed:
        yield "a tool call could not be read and was returned as text"
    if pieces.calls_left_out:
        yield (
            f"{pieces.calls_left_out} more tool calls were left out, since one at a time is allowed"
        )
    if finish.thinking_ended:
        yield f"the thoughts were ended after {m.request.think_budget} tokens"
    if finish.window_full:
        yield (
            f"the context of {prepared.window} tokens was full, and the answer ends there: "
            "shift is off, or the window is too small to shift"
        )
    elif finish.reason == "length" and finish.generated_tokens != m.options.num_predict:
        yield (
            f"the answer ends after {finish.generated_tokens} tokens: "
            "that is as many as it may have in this context"
        )
    if finish.discarded_tokens:
        yield f"the context was full: {finish.discarded_tokens} tokens were dropped"
    if m.options.deterministic and not finish.deterministic:
        yield f"not deterministic: {loaded.why_not_deterministic or 'it was not possible'}"
