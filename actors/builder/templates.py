"""Whether a Go template parses, in the words in which Go complains."""

__all__ = ["template_problem"]


def template_problem(source: str) -> str | None:
    """Say what is wrong with a Go template; None: nothing."""
    # Inside, since most daemons never see a Go template.
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.gotemplate import GoTemplate

    try:
        GoTemplate(source)
    except TemplateError as e:
        return e.problem.text
    return None
