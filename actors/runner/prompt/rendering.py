"""Makes the prompt of a request with the template that `select` chose."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs
from attrs import frozen

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.fallback import render_chatml
from actorllm.actors.runner.prompt.gofacts import go_facts, go_template
from actorllm.actors.runner.prompt.gojson import without_lone_surrogates
from actorllm.actors.runner.prompt.images import all_images, tag_images
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import effort_variables, habits_of, jinja_variables
from actorllm.actors.runner.prompt.jinja_facts import jinja_facts
from actorllm.actors.runner.prompt.limits import Budget
from actorllm.actors.runner.prompt.select import Choice, PromptTemplates, choose
from actorllm.actors.runner.prompt.tags import NO_TAGS, ThinkingTags, open_tags, opens_thinking
from actorllm.protocol.chat import ChatMessage, Think, Tool
from actorllm.protocol.codec import evolve

__all__ = ["Rendered", "render_chat", "render_generate"]

_NO_VARIABLES: Mapping[str, Any] = MappingProxyType({})
_GPT_OSS = "<|channel|>"
"""In templates that tell developers and the system apart."""


@frozen
class Rendered:
    """A prompt, and what the rest of the runner must know about it."""

    text: str
    choice: Choice
    """Which template made it, and why."""
    images: tuple[bytes, ...]
    """The images of the tags `[img-0]`, `[img-1]`, … in the text."""
    tags: ThinkingTags
    """The tags of the model's thoughts, as far as the template tells; a parser may know better."""
    starts_in_thinking: bool
    """The text ends inside of thoughts: the answer starts there."""
    tool_tag: str
    """The text with which calls start, as a Go template tells; `{` if not known."""
    has_bos: bool
    """The text begins with the token that begins a sequence; the tokenizer must not add another."""


def render_chat(
    templates: PromptTemplates,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool] = (),
    think: Think = None,
    *,
    now: datetime,
    prefer_go: bool | None = None,
    variables: Mapping[str, Any] = _NO_VARIABLES,
) -> Rendered:
    """Return the prompt of a conversation.

    Args:
        templates: what the model brings.
        messages: the conversation; a last message of the assistant is continued.
        tools: what the model may call.
        think: whether it shall think; None: not set.
        now: the date for templates that tell it. Keep it with the request: the same request must
            give the same prompt after a failover.
        prefer_go: see `select.choose`.
        variables: further variables of a Jinja template (`chat_template_kwargs`).

    Raises:
        TemplateError: the template is broken (500), or fails with the conversation (400).
    """
    choice = choose(templates, prefer_go=prefer_go)
    if choice.harmony and think == "max":
        think = "high"  # the highest level that gpt-oss knows
    if choice.kind == "jinja" and _GPT_OSS not in templates.jinja:
        messages = tuple(map(_without_developer, messages))
    try:
        return _by_choice(choice, templates, messages, tools, think, now, variables)
    except RecursionError as error:
        raise LimitExceeded("a tool or an argument of a call nests too deep", status=400) from error


def _without_developer(message: ChatMessage) -> ChatMessage:
    """Give OpenAI's newer word for `system` as the older one, which templates know."""
    return evolve(message, role="system") if message.role == "developer" else message


def _by_choice(
    choice: Choice,
    templates: PromptTemplates,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool],
    think: Think,
    now: datetime,
    variables: Mapping[str, Any],
) -> Rendered:
    if choice.kind == "renderer":
        return _by_renderer(templates, choice, messages, tools, think, now)
    tagged = tag_images(messages)
    if choice.kind == "go":
        text = go_template(templates.go).render_chat(tagged, tools, think, now)
    elif choice.kind == "jinja":
        text = _by_jinja(templates, tagged, tools, think, now, variables)
    else:
        text = render_chatml(tagged)
    return _rendered(templates, choice, text, all_images(messages))


def render_generate(
    templates: PromptTemplates,
    prompt: str,
    *,
    suffix: str = "",
    system: str = "",
    think: Think = None,
    images: Sequence[bytes] = (),
    history: Sequence[ChatMessage] = (),
    template: str = "",
    now: datetime,
    prefer_go: bool | None = None,
) -> Rendered:
    """Return the prompt of a generate request (not of a raw one: that is its own prompt).

    Args:
        templates: what the model brings.
        prompt: the user's text.
        suffix: the text after the place to fill in; not empty: fill in the middle.
        system: the request's or the model's system message.
        think: whether the model shall think; None: not set.
        images: the request's images.
        history: the model's own messages, which go first.
        template: the request's Go template, in place of all of the model's.
        now: see `render_chat`.
        prefer_go: see `select.choose`.

    Raises:
        TemplateError: the template failed (500), or cannot render this (400).
    """
    if template:
        templates = attrs.evolve(templates, go=template, jinja="", renderer="")
    if suffix and prompt:
        return _insert(templates, prompt, suffix, think, now, prefer_go)
    choice = choose(templates, prefer_go=prefer_go)
    user = ChatMessage("user", prompt, images=tuple(images))
    if choice.kind == "none":
        text = tag_images([user])[0].content
        return _rendered(templates, choice, text, tuple(images))
    first = [ChatMessage("system", system)] if system else []
    messages = [*first, *history, *([user] if prompt or images else [])]
    return render_chat(templates, messages, (), think, now=now, prefer_go=prefer_go)


def _insert(
    templates: PromptTemplates,
    prompt: str,
    suffix: str,
    think: Think,
    now: datetime,
    prefer_go: bool | None,
) -> Rendered:
    """Fill in the middle: by a Go template, or by the tokens of the vocabulary without one."""
    choice = choose(templates, prefer_go=prefer_go)
    if not templates.go and all(templates.fim) and templates.fim:
        before, after, middle = templates.fim
        by_tokens = Choice("fim", "the vocabulary has tokens to fill in the middle", choice.harmony)
        text = f"{before}{prompt}{after}{suffix}{middle}"
        return _rendered(templates, by_tokens, text, ())
    if not templates.go or not go_facts(templates.go).insert:
        raise TemplateError("this model does not support insert", status=400)
    if choice.kind != "go":
        choice = Choice("go", "the Go template fills in the middle", choice.harmony)
    text = go_template(templates.go).render_insert(prompt, suffix, think, now)
    return _rendered(templates, choice, text, ())


def _by_renderer(
    templates: PromptTemplates,
    choice: Choice,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool],
    think: Think,
    now: datetime,
) -> Rendered:
    # Few models name a renderer; the first token of the others does not wait for all of them.
    from actorllm.actors.runner.prompt.renderers import RENDERER_BOS, render, resolve

    name = resolve(templates.renderer, model=templates.name, parameters=templates.parameters)
    text = render(name, messages, tools, think, now=now)
    bos = RENDERER_BOS.get(name, "")
    images = all_images(messages)
    if not any(f"[img-{number}]" in text for number in range(len(images))):
        images = ()  # the format has no place for images
    made = _rendered(templates, choice, text, images)
    return attrs.evolve(made, has_bos=made.has_bos or bool(bos and text.startswith(bos)))


class _NoMessages(list[dict[str, Any]]):
    """No messages, of which any one is empty: the assistant's own words are all that was said.

    Templates look at the first message without asking whether there is one; llama.cpp's lets them.
    """

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index) if isinstance(index, slice) else {}


def _by_jinja(
    templates: PromptTemplates,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool],
    think: Think,
    now: datetime,
    variables: Mapping[str, Any],
) -> str:
    template = JinjaTemplate(templates.jinja)
    last = messages[-1] if messages else None
    prefill = last if last is not None and last.role == "assistant" else None
    if prefill is not None and prefill.tool_calls:
        prefill = None
    seen = jinja_variables(
        messages[:-1] if prefill else messages,
        tools,
        think,
        now=now,
        habits=habits_of(templates.jinja),
        bos=templates.bos,
        eos=templates.eos,
    )
    seen["messages"] = seen["messages"] or _NoMessages()
    effort = variables.get("reasoning_effort")
    if isinstance(effort, str):
        seen |= effort_variables(effort)
    text = template.render(seen | dict(variables), now, Budget.of(messages, tools))
    return text + _continued(text, prefill, templates) if prefill else text


def _continued(text: str, prefill: ChatMessage, templates: PromptTemplates) -> str:
    """Return what the assistant has already said, in the form in which it would have said it."""
    tags = jinja_facts(templates.jinja).tags
    closed = bool(tags) and text.rstrip().endswith(tags.close)
    if not tags or closed or not (prefill.thinking or opens_thinking(text, tags)):
        return prefill.content
    opened = "" if opens_thinking(text, tags) else f"{tags.open}\n"
    gap = "\n" if prefill.thinking and not prefill.thinking.endswith("\n") else ""
    return f"{opened}{prefill.thinking}{gap}{tags.close}\n\n{prefill.content}"


def _rendered(
    templates: PromptTemplates, choice: Choice, text: str, images: tuple[bytes, ...]
) -> Rendered:
    tags, tool_tag = NO_TAGS, "{"
    if choice.kind == "go":
        facts = go_facts(templates.go)
        tags, tool_tag = facts.tags, facts.tool_tag
    elif choice.kind == "jinja":
        tags = jinja_facts(templates.jinja).tags
    elif choice.kind == "renderer":
        tags = open_tags(text)
    text = without_lone_surrogates(text)  # no tokenizer can read one
    return Rendered(
        text=text,
        choice=choice,
        images=images,
        tags=tags,
        starts_in_thinking=opens_thinking(text, tags),
        tool_tag=tool_tag,
        has_bos=bool(templates.bos) and text.startswith(templates.bos),
    )
