"""`format` to the structure that the sampler keeps to, or a refusal that says what cannot be kept."""

import json
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from actorllm.actors.runner.engine.grammar import check, kept
from actorllm.actors.runner.engine.types import EngineError, Structure
from actorllm.actors.runner.forms import (
    Form,
    Grammar,
    Shape,
    callables,
    form_for,
    notices_of,
)
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.actors.runner.reading import facts_of, parser_name
from actorllm.actors.runner.thoughts import thoughts_of
from actorllm.protocol.chat import Think, Tool, ToolChoice
from actorllm.protocol.errors import Problem, Refused
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.messages.models import ResolvedModel

__all__ = ["refused", "structure_for", "structure_of", "structure_of_calls"]

_JSON_OBJECT = '{"type": "object"}'
_UNKNOWN_FORM = "how this model writes calls is not known"
_UNHELD = {
    "required": (f"tool_choice is not enforced: {_UNKNOWN_FORM}",),
    "auto": (f"arguments are not held to their schemas: {_UNKNOWN_FORM}",),
    "none": (),
}
"""What is said where no grammar can be made, by what was asked for. Without tools in the prompt no
call is read from an answer, and one call at a time is kept to behind the parser."""


def structure_for(
    model: ResolvedModel,
    request: GenerateRequest,
    templates: PromptTemplates,
    rendered: Rendered | None,
) -> tuple[Structure | None, tuple[str, ...]]:
    """Return the structure of the answer to a request, and what it cannot hold, a line each.

    Args:
        model: That answers.
        request: What the client wants: a grammar, calls or a format.
        templates: Those of the model.
        rendered: The prompt; None if it is the client's own text.

    Raises:
        Refused: 400, naming what cannot be kept to.
    """
    parser, choice = model.parser, request.tool_choice
    if request.grammar:
        thoughts = thoughts_of(rendered, parser, request.think)
        return _structure_of_grammar(request.grammar, thoughts), ()
    structure: Structure | None = None
    unheld: tuple[str, ...] = ()
    if choice is not None and rendered is not None:
        structure, unheld = structure_of_calls(
            choice,
            request.tools,
            form_for(parser_name(model, rendered), facts_of(request, templates, rendered)),
            request.format,
            thoughts_of(rendered, parser, request.think),
        )
    if structure is None:
        structure = structure_of(request.format, rendered, parser=parser, think=request.think)
    return structure, unheld


def structure_of(
    wanted: Any, rendered: Rendered | None = None, *, parser: str | None = None, think: Think = None
) -> Structure | None:
    """Return the structure of the answer to a request; None if its format is open.

    Thoughts before the answer are free. Whether there may be some follows from the prompt: it left
    them open, or it did not close them and the model has tags for them.

    Args:
        wanted: None, "", "json" or a JSON Schema object.
        rendered: The prompt; None if it is the client's own text.
        parser: The parser that the model declares.
        think: The request's `think`.

    Raises:
        Refused: 400, naming what cannot be kept to.
    """
    if not wanted and wanted != {}:
        return None
    text = _JSON_OBJECT if wanted in ("json", {}) else json.dumps(wanted)
    return _checked(Structure("schema", text, *thoughts_of(rendered, parser, think)))


def _structure_of_grammar(text: str, thoughts: tuple[str, tuple[str, ...]]) -> Structure:
    """Return the structure of an answer that keeps to a grammar; thoughts before it are free.

    Args:
        text: GBNF.
        thoughts: As `thoughts_of` gives them.

    Raises:
        Refused: 400, it is malformed.
    """
    return _checked(Structure("gbnf", text, *thoughts))


def _checked(structure: Structure) -> Structure:
    try:
        check(structure)
    except EngineError as e:
        raise refused(e, structure) from None
    return structure


def structure_of_calls(
    choice: ToolChoice,
    tools: Sequence[Tool],
    form: Form | None,
    wanted: Any,
    thoughts: tuple[str, tuple[str, ...]],
) -> tuple[Structure | None, tuple[str, ...]]:
    """Return the structure of an answer whose calls are chosen, and what it cannot hold.

    Args:
        choice: What the client asks for.
        tools: Those that it declares.
        form: How the model writes calls; None: nobody knows.
        wanted: The format of words beside calls.
        thoughts: As `thoughts_of` gives them.

    Raises:
        Refused: 400, naming what of the format cannot be kept to.
    """
    if form is None:
        return None, _UNHELD[choice.mode]
    callable_, problems = callables(tools, choice.names)
    answer = structure_of(wanted)
    g = Grammar(kept(json.loads(answer.text)) if answer is not None else None)
    shape = Shape(
        words=choice.mode != "required", calls=choice.mode != "none", many=choice.parallel
    )
    body = form.write(g, callable_, shape)
    structure = g.structure(body)
    if not form.thinks:
        opening, closings = thoughts
        structure = evolve(structure, opening=opening, closings=closings)
    return structure, tuple(notices_of(problems, g.left_out))


def refused(error: EngineError, structure: Structure) -> Refused:
    """Refuse a format or a grammar for what the engine said of it."""
    what = "grammar" if structure.kind == "gbnf" else "JSON schema in format"
    return Refused(Problem(400, f"invalid {what}: {error}", by_runner=True))
