"""Prompts of chat and generate requests by each kind of template."""

import pytest

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.renderers import RENDERERS, resolve
from actorllm.actors.runner.prompt.rendering import render_chat, render_generate
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.protocol.chat import ChatMessage, ToolCall
from tests.prompt.cases import NOW

CHATML = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    "<assistant>{% if enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}"
)
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}<assistant>"
USER = ChatMessage("user", "u")


def chat(templates, messages=(USER,), **rest):
    return render_chat(templates, messages, now=NOW, **rest)


def generate(templates, prompt, **rest):
    return render_generate(templates, prompt, now=NOW, **rest)


def test_a_jinja_prompt_tells_that_the_answer_starts_in_thoughts():
    templates = PromptTemplates(jinja=CHATML, bos="<s>")
    on, off = chat(templates), chat(templates, think=False)
    assert on.text == "<s><user>u</><assistant><think>\n"
    assert (on.starts_in_thinking, on.has_bos, on.choice.kind) == (True, True, "jinja")
    assert (off.starts_in_thinking, off.tags.close) == (False, "</think>")


@pytest.mark.parametrize(
    ("answer", "think", "end"),
    [
        (ChatMessage("assistant", "One,"), False, "<assistant><think>\n\n</think>\n\nOne,"),
        (ChatMessage("assistant", "One,"), True, "<assistant><think>\n</think>\n\nOne,"),
        (
            ChatMessage("assistant", "One,", thinking="hm"),
            True,
            "<assistant><think>\nhm\n</think>\n\nOne,",
        ),
        (
            ChatMessage("assistant", "One,", thinking="hm"),
            False,
            "<assistant><think>\n\n</think>\n\nOne,",
        ),
        (ChatMessage("assistant", "", thinking="hm"), True, "<assistant><think>\nhm\n</think>\n\n"),
    ],
)
def test_a_jinja_prompt_goes_on_with_the_last_answer(answer, think, end):
    made = chat(PromptTemplates(jinja=CHATML), (USER, answer), think=think)
    assert made.text == "<user>u</>" + end
    assert not made.starts_in_thinking


def test_variables_of_a_request_reach_a_jinja_template():
    made = chat(PromptTemplates(jinja="{{ flavour }}"), variables={"flavour": "plum"})
    assert made.text == "plum"


def test_images_are_tagged_in_the_order_of_the_conversation():
    messages = (
        ChatMessage("user", "see [img] and", images=(b"a", b"b")),
        ChatMessage("user", "this", images=(b"c",)),
    )
    made = chat(PromptTemplates(jinja=PLAIN), messages)
    assert made.text == "<user>[img-1]see [img-0] and</><user>[img-2]this</><assistant>"
    assert made.images == (b"a", b"b", b"c")


def test_a_renderer_without_images_gives_none_back():
    message = ChatMessage("user", "see", images=(b"a",))
    seen = chat(PromptTemplates(renderer="qwen3-vl-instruct"), (message,))
    blind = chat(PromptTemplates(renderer="cohere"), (message,))
    assert (seen.images, blind.images) == ((b"a",), ())


def test_a_renderer_tells_bos_and_open_thoughts():
    gemma = chat(PromptTemplates(renderer="gemma4", name="gemma4:e4b"))
    qwen = chat(PromptTemplates(renderer="qwen3.5"))
    assert (gemma.has_bos, gemma.starts_in_thinking) == (True, False)
    assert (qwen.has_bos, qwen.starts_in_thinking, qwen.tags.close) == (False, True, "</think>")


def test_an_unknown_renderer_is_an_error():
    with pytest.raises(TemplateError, match='unknown renderer "qwen9"'):
        chat(PromptTemplates(renderer="qwen9"))


@pytest.mark.parametrize(
    ("model", "parameters", "renderer"),
    [
        ("gemma4:e2b", 0, "gemma4-small"),
        ("gemma4:e4b", 20_000_000_000, "gemma4-small"),
        ("gemma4:31B-q4", 0, "gemma4-large"),
        ("mine", 12_000_000_000, "gemma4-large"),
        ("mine", 4_000_000_000, "gemma4-small"),
    ],
)
def test_gemma_is_large_or_small_by_name_or_size(model, parameters, renderer):
    assert resolve("gemma4", model=model, parameters=parameters) == renderer


def test_a_model_without_templates_chats_in_chatml_and_generates_from_the_bare_prompt():
    answer = ChatMessage("assistant", "One,")
    assert chat(PromptTemplates()).text == "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    assert chat(PromptTemplates(), (USER, answer)).text.endswith("<|im_start|>assistant\nOne,")
    assert generate(PromptTemplates(), "Once upon", system="ignored").text == "Once upon"


def test_generate_renders_system_history_and_prompt():
    templates = PromptTemplates(go="[{{ .System }}]{{ .Prompt }}>{{ .Response }}\n")
    history = (ChatMessage("user", "q"), ChatMessage("assistant", "a"))
    assert generate(templates, "p", system="s", history=history).text == "[s]q>a\n[]p>"


def test_the_template_of_a_request_replaces_all_others():
    templates = PromptTemplates(go="x", jinja=PLAIN, renderer="qwen3.5")
    made = generate(templates, "p", template="<<{{ .Prompt }}>>")
    assert (made.text, made.choice.kind) == ("<<p>>", "go")


def test_only_a_go_template_with_a_suffix_fills_in_the_middle():
    able = PromptTemplates(go="{{ .Prompt }}<FILL>{{ .Suffix }}", jinja=PLAIN)
    assert generate(able, "a", suffix="b", prefer_go=False).text == "a<FILL>b"
    with pytest.raises(TemplateError) as caught:
        generate(PromptTemplates(jinja=PLAIN), "a", suffix="b")
    assert caught.value.problem.status == 400


def test_the_same_request_gives_the_same_prompt_at_any_time():
    templates = PromptTemplates(jinja="{{ strftime_now('%H:%M:%S') }} {{ date_string }}")
    assert chat(templates).text == chat(templates).text == "12:30:00 07 Mar 2031"


NESTED: list = []
for _ in range(5000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "templates",
    [
        PromptTemplates(jinja="{{ messages | tojson }}"),
        PromptTemplates(go="{{ range .Messages }}{{ .ToolCalls }}{{ end }}"),
        *(PromptTemplates(renderer=name) for name in ("qwen3.5", "gemma4", "cohere", "lfm2")),
    ],
    ids=lambda templates: templates.renderer or templates.jinja or templates.go,
)
def test_arguments_that_nest_too_deep_are_refused(templates):
    call = ToolCall("f", {"a": NESTED})
    with pytest.raises(TemplateError):
        chat(templates, (ChatMessage("assistant", tool_calls=(call,)), USER))


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_no_number_or_schema_of_a_client_breaks_a_renderer(renderer):
    schema = {"a": {"type": 5, "enum": "x", "anyOf": 1, "description": ["d"], "items": [1]}}
    tools = [
        {
            "type": None,
            "function": {"name": 5, "parameters": {"required": "a", "properties": schema}},
        },
        {"function": []},
    ]
    call = ToolCall("f", {"n": 10**400, "i": float("inf"), "s": "\ud800", "o": {"": []}})
    messages = (ChatMessage("assistant", tool_calls=(call,)), ChatMessage("tool", "r"), USER)
    assert chat(PromptTemplates(renderer=renderer), messages, tools=tools).text


def test_gpt_oss_knows_no_level_above_high():
    go = "<|start|>{{ .ThinkLevel }}{{ range .Messages }}{{ end }}<|end|>"
    assert chat(PromptTemplates(go=go, family="gptoss"), think="max").text == "<|start|>high<|end|>"
    assert chat(PromptTemplates(go=go, family="llama"), think="max").text == "<|start|>max<|end|>"


FIM = ("<pre>", "<suf>", "<mid>")


@pytest.mark.parametrize(
    "templates",
    [
        PromptTemplates(fim=FIM),
        PromptTemplates(jinja="{{ messages }}", fim=FIM),
        PromptTemplates(renderer="qwen3-coder", fim=FIM),
    ],
)
def test_a_vocabulary_fills_in_the_middle_where_no_go_template_is(templates):
    made = render_generate(templates, "def f(", suffix="return x", now=NOW)
    assert (made.text, made.choice.kind) == ("<pre>def f(<suf>return x<mid>", "fim")


@pytest.mark.parametrize(
    "templates",
    [
        PromptTemplates(),
        PromptTemplates(fim=("<pre>", "", "<mid>")),
        PromptTemplates(go="{{ .Prompt }}", fim=FIM),
    ],
)
def test_the_middle_is_not_filled_in_by_half(templates):
    with pytest.raises(TemplateError, match="does not support insert") as refused:
        render_generate(templates, "def f(", suffix="return x", now=NOW)
    assert refused.value.problem.status == 400


def test_a_go_template_that_knows_suffixes_is_stronger_than_the_vocabulary():
    templates = PromptTemplates(go="{{ .Prompt }}_{{ .Suffix }}", fim=FIM)
    assert render_generate(templates, "a", suffix="b", now=NOW).text == "a_b"


CALLING = (
    "{% for message in messages %}<{{ message['role'] }}>"
    "{% for c in message.tool_calls %}{{ c.function.name }}{% endfor %}"
    "{% for r in message['tool_responses'] %}={{ r.name }}:{{ r.response }}{% endfor %}"
    "{{ message.content }}{% endfor %}"
)


def test_results_stand_with_their_calls_where_a_template_knows_them_nowhere_else():
    calls = (ToolCall("f", {}, "1"), ToolCall("g", {}, "2"))
    messages = (
        USER,
        ChatMessage("assistant", "One.", tool_calls=calls),
        ChatMessage("tool", "[1]", tool_call_id="2"),
        ChatMessage("tool", "sun"),
        ChatMessage("assistant", "Two."),
        USER,
        ChatMessage("tool", "alone"),
    )
    made = chat(PromptTemplates(jinja=CALLING), messages)
    assert made.text == "<user>u<assistant>fg=g:[1]=g:sunOne.\nTwo.<user>u<tool>alone"
    knows = "{% if messages[0]['role'] == 'tool' %}{% endif %}"
    assert chat(PromptTemplates(jinja=CALLING + knows), messages).text.count("<tool>") == 3


def test_the_assistants_own_words_alone_are_gone_on_from():
    asks_for_the_first = "{% if messages[0].role == 'system' %}S{% endif %}" + PLAIN
    alone = (ChatMessage("assistant", "One,"),)
    assert chat(PromptTemplates(jinja=asks_for_the_first), alone).text == "<assistant>One,"


@pytest.mark.parametrize(
    ("source", "role"), [(PLAIN, "system"), (PLAIN + "<|channel|>", "developer")]
)
def test_templates_that_do_not_know_developers_see_the_system(source, role):
    messages = (ChatMessage("developer", "d"), USER)
    assert chat(PromptTemplates(jinja=source), messages).text.startswith(f"<{role}>d</>")
