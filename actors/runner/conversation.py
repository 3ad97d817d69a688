"""A conversation as a model reads it: its own messages and templates, and tools in their order."""

from collections.abc import Sequence
from datetime import datetime

from actorllm.actors.runner.prompt.rendering import Rendered, render_chat
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.protocol.chat import ChatMessage, JsonObject, Tool
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel

__all__ = ["conversation", "render_conversation", "templates_of"]


def templates_of(
    model: ResolvedModel, *, bos: str = "", eos: str = "", fim: tuple[str, ...] = ()
) -> PromptTemplates:
    """What a model brings for its prompts, and the texts of tokens that belong to prompts."""
    return PromptTemplates(
        jinja=model.chat_template or "",
        go=model.template or "",
        renderer=model.renderer,
        parser=model.parser,
        family=model.architecture,
        name=model.name,
        parameters=model.parameter_count,
        bos=bos,
        eos=eos,
        fim=fim,
    )


def conversation(model: ResolvedModel, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The model's own messages, its system message unless the client has one, the client's."""
    given = (*model.messages, *messages)
    if model.system and messages[0].role != "system":
        return (ChatMessage("system", model.system), *given)
    return given


def render_conversation(
    model: ResolvedModel,
    request: GenerateRequest,
    templates: PromptTemplates,
    messages: Sequence[ChatMessage],
    now: datetime,
) -> Rendered:
    """Make the prompt of some messages of a chat.

    Raises:
        Refused: The template fails, or refuses the conversation.
    """
    tools = tuple(map(_in_usual_order, request.tools)) if model.native else request.tools
    return render_chat(
        templates,
        messages,
        tools,
        request.think,
        now=now,
        prefer_go=not model.native,
        variables=request.template_variables,
    )


def _in_usual_order(tool: Tool) -> Tool:
    """Put a declaration's keys where models have seen them: what must be given, then what may be.

    Clients send them in any order; the reference's decoder brings them into this one. Keys that it
    does not know are kept, behind the others.
    """
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    parameters = function.get("parameters")
    if isinstance(parameters, dict):
        parameters = _ordered(parameters, ("type", "$defs", "items", "required", "properties"))
        function = function | {"parameters": parameters}
    function = _ordered(function, ("name", "description", "parameters"))
    return _ordered(tool | {"function": function}, ("type", "items", "function"))


def _ordered(value: JsonObject, first: Sequence[str]) -> JsonObject:
    return {key: value[key] for key in first if key in value} | value
