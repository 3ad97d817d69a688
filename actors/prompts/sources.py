"""Which template or parser a question means, and why."""

import re
from typing import Literal

from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.messages.prompts import RenderPrompt

__all__ = ["check_source", "kind_of_template", "own_reason", "with_source"]

_GO_ACTION = re.compile(
    r"\{\{-?\s*(?:[.$(/]|(?:if|else|end|range|with|define|template|block|and|or|not|eq|ne|json|len)\b)"
)


def check_source(m: RenderPrompt) -> None:
    """Refuse a question that names nothing which could make a prompt, or too much.

    Raises:
        Refused: 400.
    """
    if not (m.model or m.renderer or m.template):
        raise Refused.because(400, "name a model, a renderer or a template")
    if m.renderer and m.template:
        raise Refused.because(400, "name a renderer or a template, not both")
    if not m.messages:
        raise Refused.because(400, "messages are required")


def kind_of_template(text: str) -> Literal["go", "jinja"]:
    """Tell a Go template from a Jinja template; a text without any code is a Go template."""
    if "{%" in text:
        return "jinja"
    return "go" if "{{" not in text or _GO_ACTION.search(text) else "jinja"


def own_reason(m: RenderPrompt) -> str:
    """Say why the question's own renderer or template makes the prompt; empty: it has none."""
    if m.renderer:
        return f"the request names the renderer {m.renderer[:80]}"
    kind = {"go": "Go", "jinja": "Jinja"}[kind_of_template(m.template)]
    return f"the request brings a {kind} template" if m.template else ""


def with_source(model: ResolvedModel, m: RenderPrompt) -> ResolvedModel:
    """Give a model the question's own renderer or template in place of all that it has."""
    if m.renderer:
        return evolve(model, renderer=m.renderer)
    if not m.template:
        return model
    go = kind_of_template(m.template) == "go"
    return evolve(
        model,
        renderer="",
        template=m.template if go else None,
        chat_template=None if go else m.template,
        native=not go,
    )
