"""The form of a model's calls: by its parser, by its Jinja template, or by the tag of a Go template."""

import re

from actorllm.actors.runner.forms.families import form_of
from actorllm.actors.runner.forms.marked import Bare, Form, Marked
from actorllm.actors.runner.forms.pieces import behind, in_list, json_call
from actorllm.actors.runner.parse import PARSERS, TemplateFacts
from actorllm.actors.runner.parse.deepseek import DEEPSEEK
from actorllm.actors.runner.parse.generic import closing_of
from actorllm.actors.runner.parse.infer import family_name

__all__ = ["form_for"]

_KEY = r'"(?:{})"\s*:\s*"?\{{?\{{\{{'


def form_for(parser: str, template: TemplateFacts) -> Form | None:
    """Give the form of a model's calls; None if it is not known.

    Args:
        parser: The parser that the model declares; it decides alone.
        template: Facts of the template that makes the prompt.
    """
    if parser:
        info = PARSERS.get(parser)
        return form_of(info.family) if info is not None else None
    if template.kind == "jinja":
        return form_of(family_name(template.text), template.text)
    return _generic(template.tool_tag, template.text)


def _generic(tag: str, template: str) -> Form | None:
    """Give the form of JSON calls behind the tag that was found in a Go template."""
    if any(fence.open in template for fence in DEEPSEEK.fences):
        return form_of("deepseek", template)
    call = json_call(_key(template, "tool_name", "name"), _key(template, "parameters", "arguments"))
    if tag in ("{", "["):
        return Bare(call, bracket=tag)
    if not tag:
        return None
    close = closing_of(tag, template)
    if tag.endswith("["):
        return Marked(tag, in_list(call, close, opened=True))
    return None if tag.endswith("{") else Marked(tag, behind(tag, call, close))


def _key(template: str, rare: str, usual: str) -> str:
    """Give the key under which a template writes past calls: the rare one if it has it."""
    return rare if re.search(_KEY.format(rare), template) else usual
