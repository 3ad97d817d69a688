"""Questions about prompts, with and without a runner."""

import pytest

from actorllm.actors.queue.refusals import UNANSWERED
from actorllm.actors.runner.messages import Detokenize, Render, Tokenize
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.prompts import (
    DetokenizedText,
    DetokenizeText,
    ParseAnswer,
    RenderPrompt,
    TextTokens,
    TokenizeText,
)
from actorllm.protocol.messages.scheduling import Acquire
from tests.simulation.system import make_model

HI = (ChatMessage("user", "hi"),)
GO = "{{ range .Messages }}<{{ .Content }}>{{ end }}"
THINKS = "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n{{ '</think>' if x }}"


async def refused(awaitable):
    with pytest.raises(Refused) as caught:
        await awaitable
    return caught.value.problem


async def test_a_model_renders_on_its_runner_and_the_lease_is_given_back(world):
    async with world(make_model("m", chat_template="{{ messages }}")) as w:
        made = await w.only(RenderPrompt("c", HI, "m", options={"num_ctx": 64, "foo": 1}))
        assert (made.text, made.tokens) == ("<hi>", (1, 2))
        assert made.reason == "the model has a Jinja template only"
        assert made.notices == ("option 'foo' is unknown and was ignored",)
        [render] = w.runner.received(Render)
        assert render.work.request.messages == HI
        assert render.work.options.num_ctx == 64
        [acquire] = w.scheduler.received(Acquire)
        assert (acquire.client, acquire.options.num_ctx) == ("c", 64)


async def test_the_requests_template_goes_to_the_runner_with_the_model(world):
    async with world(make_model("m", renderer="r", chat_template="x")) as w:
        made = await w.only(RenderPrompt("c", HI, "m", template=GO))
        assert made.reason == "the request brings a Go template"
        [render] = w.runner.received(Render)
        assert render.work.model.template == GO
        assert (render.work.model.renderer, render.work.model.chat_template) == ("", None)


async def test_a_model_without_tools_refuses_them_as_a_generation_would(world):
    async with world() as w:
        tool = {"type": "function", "function": {"name": "f"}}
        problem = await refused(w.only(RenderPrompt("c", HI, "m", tools=(tool,))))
        assert (problem.status, "does not support tools" in problem.text) == (400, True)
        assert w.scheduler.received(Acquire) == []


@pytest.mark.parametrize(
    ("source", "text", "kind"),
    [
        ({"template": GO}, "<hi>", "go"),
        ({"template": "{% for m in messages %}[{{ m.content }}]{% endfor %}"}, "[hi]", "jinja"),
        (
            {"renderer": "qwen3-coder"},
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
            "renderer",
        ),
    ],
)
async def test_a_template_alone_needs_no_model(world, source, text, kind):
    async with world() as w:
        made = await w.only(RenderPrompt("c", HI, **source))
        assert (made.text, made.template, made.tokens) == (text, kind, ())
        assert w.library.messages == w.scheduler.messages == []


@pytest.mark.parametrize("model", ["", "m"])
@pytest.mark.parametrize(
    ("source", "status"),
    [({"template": "{{ .X"}, 400), ({"template": "{% if %}"}, 400), ({"renderer": "none"}, 404)],
)
async def test_a_broken_template_is_the_clients_fault(world, model, source, status):
    async with world() as w:
        problem = await refused(w.only(RenderPrompt("c", HI, model, **source)))
        assert problem.status == status
        assert w.scheduler.messages == []


async def test_a_hostile_template_is_stopped_and_the_actor_lives_on(world):
    async with world() as w:
        endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
        large = "{{ 'a' * 1000000000 }}{% if 1 %}{% endif %}"
        for template in (endless, large):
            assert (await refused(w.only(RenderPrompt("c", HI, template=template)))).status == 400
        assert (await w.only(RenderPrompt("c", HI, template=GO))).text == "<hi>"


async def test_a_named_parser_reads_chunks(world):
    chunks = ("Hi <tool", '_call>{"name": "f", "arguments": {"a": 1}}</tool_call>')
    tool = {
        "type": "function",
        "function": {"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}},
    }
    async with world() as w:
        found = await w.ask(ParseAnswer(chunks, parser="qwen3", tools=(tool,)))
        assert (found.parser, found.whole.content, found.unparsed) == ("qwen3", "Hi", False)
        [call] = found.whole.tool_calls
        assert (call.name, call.arguments) == ("f", {"a": 1})
        assert call.id.startswith("call_")
        assert [bool(part.tool_calls) for part in found.parts] == [False, True, False]
        assert w.library.messages == []


async def test_a_models_template_tells_how_its_words_are_read(world):
    model = make_model("m", chat_template=THINKS, capabilities=("completion", "thinking"))
    async with world(model) as w:
        found = await w.ask(ParseAnswer(("hm</think>\n\nyes",), "m"))
        assert (found.whole.thinking, found.whole.content) == ("hm", "yes")
        assert w.scheduler.messages == []  # no runner is needed


async def test_a_parser_takes_the_place_of_the_models(world):
    async with world(make_model("m", parser="harmony")) as w:
        found = await w.ask(ParseAnswer(("<|channel|>x",), "m", parser="passthrough"))
        assert (found.parser, found.whole.content) == ("passthrough", "<|channel|>x")


@pytest.mark.parametrize("question", [ParseAnswer(("x",)), ParseAnswer(("x",), parser="none")])
async def test_a_parser_that_there_is_not_is_refused(world, question):
    async with world() as w:
        assert (await refused(w.ask(question))).status == 400


async def test_texts_are_split_and_tokens_joined_on_the_runner(world):
    async with world() as w:
        found = await w.only(TokenizeText("c", "m", "hi", add_special=True, pieces=True))
        assert found == TextTokens((5, 6))
        assert w.runner.received(Tokenize) == [
            Tokenize("hi", add_special=True, parse_special=True, pieces=True)
        ]
        assert await w.only(DetokenizeText("c", "m", (5, 6))) == DetokenizedText("hi")
        assert w.runner.received(Detokenize) == [Detokenize((5, 6))]
        assert (await refused(w.only(TokenizeText("c", "", "x")))).status == 400


async def test_a_runner_that_dies_once_is_asked_again(world, autojump_clock):
    crash = RuntimeError("dead")
    async with world(answers=(crash, DetokenizedText("hi"))) as w:
        assert await w.only(DetokenizeText("c", "m", (5,))) == DetokenizedText("hi")


async def test_runners_that_die_again_are_a_503(world, autojump_clock):
    async with world(answers=(RuntimeError("dead"),)) as w:
        problem = await refused(w.only(DetokenizeText("c", "m", (5,))))
        assert (problem.status, problem.text, problem.retry_after) == (503, UNANSWERED, 1)
