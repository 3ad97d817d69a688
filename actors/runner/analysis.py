"""What templates and parsers can do, in the terms in which the library asks."""

import functools

from actorllm.actors.library.templates import (
    Abilities,
    Analysis,
    Choice,
    TemplateFacts,
    Templates,
)

__all__ = ["ANALYSIS"]

# The imports are inside: the daemon starts without template engines and parsers.


@functools.lru_cache(maxsize=256)
def _go(text: str) -> TemplateFacts:
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.gofacts import go_facts

    try:
        facts = go_facts(text)
    except TemplateError:
        return TemplateFacts()
    return TemplateFacts(tools=facts.tools, suffix=facts.insert, thinking=facts.thinking)


def _jinja(text: str) -> TemplateFacts:
    from actorllm.actors.runner.prompt.jinja_facts import jinja_facts

    facts = jinja_facts(text)
    return TemplateFacts(tools=facts.tools, thinking=facts.thinking)


def _parser(name: str) -> Abilities:
    from actorllm.actors.runner.parse import PARSERS

    info = PARSERS.get(name)
    return Abilities() if info is None else Abilities(tools=info.tools, thinking=info.thinking)


def _choose(templates: Templates, prefer_go: bool | None) -> Choice:
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.select import PromptTemplates, choose

    brought = PromptTemplates(
        jinja=templates.jinja,
        go=templates.go,
        renderer=templates.renderer,
        parser=templates.parser,
        family=templates.family,
    )
    try:
        choice = choose(brought, prefer_go=prefer_go)
    except TemplateError:  # the Go template does not parse; what is used of it will say so
        return Choice(native=False)
    return Choice(native=choice.native, harmony=choice.harmony)


ANALYSIS = Analysis(go=_go, jinja=_jinja, parser=_parser, choose=_choose)
"""For `Library`."""
