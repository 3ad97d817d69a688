"""Prompts and tokens for those who look at them."""

import pytest

from actorllm.actors.runner.engine.fake import FAKE_BOS
from actorllm.actors.runner.engine.types import EngineError
from actorllm.actors.runner.inspecting import detokenize, prompt_of, tokenize
from actorllm.actors.runner.messages import Detokenize, Tokenize
from actorllm.actors.runner.prompting import prepare
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import DetokenizedText, TextTokens
from tests.simulation.system import make_model

MODEL = make_model("m", chat_template="{% for m in messages %}<{{ m.content }}>{% endfor %}")


def shown(desk, work):
    return prompt_of(desk.host, prepare(desk.host, desk.loaded, work))


async def test_a_prompt_tells_what_made_it(desk, generate):
    made = shown(desk, generate("chat", messages=(ChatMessage("user", "hi"),), model=MODEL))
    assert (made.text, made.tokens) == ("<hi>", (FAKE_BOS, *b"<hi>"))
    assert (made.template, made.num_ctx) == ("jinja", 128)
    assert (made.truncated_messages, made.truncated_tokens, made.notices) == (0, 0, ())


async def test_dropped_messages_are_counted(desk, generate):
    messages = tuple(ChatMessage("user", f"{n:030}") for n in range(9))
    made = shown(desk, generate("chat", messages=messages, model=MODEL))
    assert made.truncated_messages == 6
    assert made.text.count("<") == 3
    assert len(made.tokens) <= made.num_ctx


async def test_the_text_of_a_cut_prompt_is_that_of_its_tokens(desk, generate):
    messages = (ChatMessage("user", "a" * 100 + "b" * 100),)
    made = shown(desk, generate("chat", messages=messages, model=MODEL))
    assert made.truncated_tokens == 203 - len(made.tokens)
    assert made.text.endswith("b>")
    assert made.text.encode() == bytes(t for t in made.tokens if t != FAKE_BOS)


async def test_text_is_split_and_joined(desk):
    found = tokenize(desk.host, Tokenize("hé", add_special=True, parse_special=True, pieces=True))
    assert found == TextTokens((FAKE_BOS, *"hé".encode()), (b"", b"h", b"\xc3", b"\xa9"))
    assert detokenize(desk.host, Detokenize(found.tokens)) == DetokenizedText("hé")


async def test_a_token_that_there_is_not_is_the_clients_fault(desk, monkeypatch):
    def fail(tokens):
        raise EngineError("token 9 is not in the vocabulary")

    monkeypatch.setattr(desk.host, "detokenize", fail)
    with pytest.raises(Refused, match="not in the vocabulary") as caught:
        detokenize(desk.host, Detokenize((9,)))
    assert caught.value.problem.status == 400
