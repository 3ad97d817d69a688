"""The prompt of a chat with a model that has no template: ChatML, as llama-server takes it."""

from collections.abc import Sequence

from actorllm.protocol.chat import ChatMessage

__all__ = ["render_chatml"]


def render_chatml(messages: Sequence[ChatMessage]) -> str:
    """Return `messages` in ChatML; the last one is left open when it is the assistant's."""
    turns = [f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages]
    if messages and messages[-1].role == "assistant":
        return "".join(turns).removesuffix("<|im_end|>\n")
    return "".join(turns) + "<|im_start|>assistant\n"
