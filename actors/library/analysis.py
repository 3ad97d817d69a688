"""The analysis of templates and parsers as the runner makes it."""

from actorllm.actors.library.templates import (
    Abilities,
    Analysis,
    Choice,
    TemplateFacts,
    Templates,
)

__all__ = ["runner_analysis"]


def runner_analysis() -> Analysis:
    """Return the analysis that agrees with how the runner makes prompts and reads answers."""
    from actorllm.actors.runner.parse.registry import PARSERS
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.gotemplate import go_facts
    from actorllm.actors.runner.prompt.jinja_facts import jinja_facts
    from actorllm.actors.runner.prompt.select import PromptTemplates, choose

    def of_go(text: str) -> TemplateFacts:
        try:
            facts = go_facts(text)
        except TemplateError:  # it is refused when it is used; the model can be shown
            return TemplateFacts()
        return TemplateFacts(facts.tools, facts.insert, facts.thinking)

    def of_jinja(text: str) -> TemplateFacts:
        facts = jinja_facts(text)
        return TemplateFacts(tools=facts.tools, thinking=facts.thinking)

    def of_parser(name: str) -> Abilities:
        info = PARSERS.get(name)
        return Abilities() if info is None else Abilities(info.tools, info.thinking)

    def chosen(templates: Templates, wish: bool | None) -> Choice:
        known = PromptTemplates(
            jinja=templates.jinja,
            go=templates.go,
            renderer=templates.renderer,
            parser=templates.parser,
            family=templates.family,
        )
        try:
            choice = choose(known, prefer_go=wish)
        except TemplateError:
            return Choice(native=False)
        return Choice(choice.kind in {"jinja", "none"}, choice.harmony)

    return Analysis(of_go, of_jinja, of_parser, chosen)
