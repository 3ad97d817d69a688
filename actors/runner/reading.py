"""How an answer to a prompt is read: by which parser, and what it must know of the template."""

from actorllm.actors.runner.parse import OutputParser, TemplateFacts, make_parser
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel

__all__ = ["facts_of", "parser_name", "parser_of"]


def parser_of(
    model: ResolvedModel,
    request: GenerateRequest,
    templates: PromptTemplates,
    rendered: Rendered | None,
) -> OutputParser:
    """Choose the parser of the answer to a prompt.

    Args:
        model: That answers.
        request: What the client wants.
        templates: Those of the model.
        rendered: The prompt; None: it was raw.

    Raises:
        Refused: The model names a parser that there is not.
    """
    if rendered is None or rendered.choice.kind == "fim":  # a text of the client's own
        return make_parser("passthrough")
    return make_parser(
        parser_name(model, rendered) or None,
        template=facts_of(request, templates, rendered),
        tools=request.tools,
        think=request.think,
        starts_in_thinking=rendered.starts_in_thinking,
        last_message=request.messages[-1] if request.messages else None,
    )


def parser_name(model: ResolvedModel, rendered: Rendered) -> str:
    """Name the parser that the model declares, or that of gpt-oss if the prompt is one of its."""
    return model.parser or ("harmony" if rendered.choice.harmony else "")


def facts_of(
    request: GenerateRequest, templates: PromptTemplates, rendered: Rendered
) -> TemplateFacts:
    """Say what a parser must know of the template that made a prompt."""
    jinja = rendered.choice.native
    return TemplateFacts(
        kind="jinja" if jinja else "go",
        text=templates.jinja if jinja else request.template or templates.go,
        think_open=rendered.tags.open,
        think_close=rendered.tags.close,
        tool_tag=rendered.tool_tag,
    )
