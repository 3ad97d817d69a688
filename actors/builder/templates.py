"""Whether a Go template parses, in the words in which Go complains."""

import re
from typing import Final

__all__ = ["template_problem"]

_POSITION: Final = re.compile(r"^template:(\d+):\d+: ")
_BARE_KEYWORD: Final = re.compile(r"^unexpected (end|else|break|continue)$")


def template_problem(source: str) -> str | None:
    """Say what is wrong with a Go template; None: nothing."""
    # Inside, since most daemons never see a Go template.
    from actorllm.actors.runner.prompt.errors import TemplateError
    from actorllm.actors.runner.prompt.gotemplate import GoTemplate

    try:
        GoTemplate(source)
    except TemplateError as e:
        text = e.problem.text.removeprefix("template error: ")
        found = _POSITION.match(text)
        if found is None:
            return text
        complaint = _BARE_KEYWORD.sub(r"unexpected {{\1}}", text[found.end() :])
        return f"template: :{found[1]}: {complaint}"
    return None
