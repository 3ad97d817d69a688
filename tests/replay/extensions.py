"""Where we answer what the reference ignores or refuses: named, and why.

In all other cases that the reference does not flag as its own bug, our answer is the recorded one.
"""

__all__ = ["EXTENSIONS"]

EXTENSIONS = {
    "v1_chat/max-completion-tokens": "the newer name of max_tokens is heeded",
    "v1_chat/n": "n choices are answered",
    "v1_completions/logprobs": "log probabilities are returned",
    "v1_completions/prompt-list": "each prompt of a list is answered",
    "v1_completions/prompt-tokens": "tokens are a prompt",
    "v1_embeddings/tokens": "tokens are embedded",
    "v1_messages/count-tokens": "tokens are counted",
    "v1_messages/stop-sequences": "the stop sequence that ended the text is named",
    "v1_responses/max-output": "a response that was cut is incomplete",
}
