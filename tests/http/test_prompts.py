"""The routes that show prompts, parsed answers and tokens."""

from collections.abc import AsyncIterator

import pytest

from actorllm.actors.kernel import Actor, ChildSpec, concurrent
from actorllm.protocol.chat import ChatMessage, ToolCall
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import (
    AnswerPart,
    DetokenizedText,
    DetokenizeText,
    ParseAnswer,
    ParsedAnswer,
    RenderedPrompt,
    RenderPrompt,
    TextTokens,
    TokenizeText,
)
from tests.http.conftest import World

CALL = ToolCall("f", {"a": 1}, "call_1")
PART = AnswerPart("yes", "hm", (CALL,))
CALLED = [{"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}]
HI = [{"role": "user", "content": "hi"}]
MADE = {
    "prompt": "<hi>",
    "template": "go",
    "reason": "it has one",
    "starts_in_thinking": True,
    "image_count": 1,
}


class Prompts(Actor):
    """Answers the same to all."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def render(self, m: RenderPrompt) -> AsyncIterator[RenderedPrompt]:
        self._world.requests.append(m)
        if m.model == "absent":
            raise Refused.because(404, "model 'absent' not found")
        notices = ("slow",) if m.model else ()
        yield RenderedPrompt(
            "<hi>", "go", "it has one", starts_in_thinking=True, tokens=(1, 2), images=1,
            num_ctx=64, truncated_messages=3, truncated_tokens=4, notices=notices,
        )  # fmt: skip

    @concurrent
    async def parse(self, m: ParseAnswer) -> ParsedAnswer:
        self._world.requests.append(m)
        return ParsedAnswer(m.parser, PART, (PART, AnswerPart()), unparsed=False)

    async def tokenize(self, m: TokenizeText) -> AsyncIterator[TextTokens]:
        self._world.requests.append(m)
        yield TextTokens((5, 6), (b"a", b"\xc3") if m.pieces else ())

    async def detokenize(self, m: DetokenizeText) -> AsyncIterator[DetokenizedText]:
        self._world.requests.append(m)
        yield DetokenizedText("a é")


class PromptsWorld(World):
    def tree(self) -> list[ChildSpec]:
        return [*super().tree(), ChildSpec("prompts", lambda: Prompts(self))]


@pytest.fixture
def make_world(settings):
    return lambda: PromptsWorld(settings)


async def test_a_model_renders_with_tokens_and_what_was_truncated(client, world):
    body = {"model": "m", "messages": HI, "think": "low", "options": {"num_ctx": 9}}
    answer = await client.post("/api/render", json=body | {"truncate": False, "keep_alive": "1s"})
    assert answer.status_code == 200
    assert answer.json() == {"model": "m"} | MADE | {
        "tokens": [1, 2],
        "num_ctx": 64,
        "truncated_messages": 3,
        "truncated_tokens": 4,
        "notices": ["slow"],
    }
    [asked] = world.requests
    assert asked == RenderPrompt(
        "127.0.0.1", (ChatMessage("user", "hi"),), "m", think="low", options={"num_ctx": 9},
        keep_alive=10**9, truncate=False,
    )  # fmt: skip


async def test_a_template_alone_has_no_tokens(client, world):
    answer = await client.post("/api/render", json={"template": "x", "messages": HI})
    assert answer.json() == MADE
    assert world.requests[0].template == "x"


async def test_an_unknown_model_is_not_found(client):
    answer = await client.post("/api/render", json={"model": "absent", "messages": HI})
    assert (answer.status_code, answer.json()) == (404, {"error": "model 'absent' not found"})


async def test_an_answer_is_parsed(client, world):
    said = {"content": "yes", "thinking": "hm", "tool_calls": CALLED}
    answer = await client.post("/api/parse", json={"parser": "qwen3", "text": "t"})
    assert answer.json() == {
        "parser": "qwen3",
        "message": {"role": "assistant"} | said,
        "unparsed": False,
    }
    answer = await client.post("/api/parse", json={"model": "m", "chunks": ["t", "u"]})
    assert answer.json()["parts"] == [said, {"content": ""}]
    assert [asked.chunks for asked in world.requests] == [("t",), ("t", "u")]


async def test_tokens_are_told_with_their_bytes_if_asked(client, world):
    answer = await client.post("/api/tokenize", json={"model": "m", "text": "aé"})
    assert answer.json() == {"model": "m", "tokens": [5, 6]}
    body = {"model": "m", "text": "aé", "with_pieces": True}
    answer = await client.post("/api/tokenize", json=body)
    assert answer.json()["pieces"] == [{"text": "a"}, {"base64": "ww=="}]
    assert world.requests[0] == TokenizeText("127.0.0.1", "m", "aé")


async def test_tokens_are_joined(client, world):
    answer = await client.post("/api/detokenize", json={"model": "m", "tokens": [5, 6]})
    assert answer.json() == {"model": "m", "text": "a é"}
    assert world.requests == [DetokenizeText("127.0.0.1", "m", (5, 6))]


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("parse", {"parser": "p", "text": "a", "chunks": ["b"]}, "give text or chunks, not both"),
        ("detokenize", {"model": "m", "tokens": [-1]}, "-1 is no token"),
        ("detokenize", {"model": "m", "tokens": [1 << 31]}, "2147483648 is no token"),
        (
            "tokenize",
            {"text": 1},
            "json: cannot unmarshal number into Go struct field TokenizeRequest.text of type string",
        ),
    ],
)
async def test_a_senseless_question_is_refused_at_the_edge(client, world, path, body, text):
    answer = await client.post(f"/api/{path}", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert world.requests == []
