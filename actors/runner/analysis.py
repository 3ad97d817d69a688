"""What templates and parsers can do, in the terms in which the library asks."""

from actorllm.actors.library.capabilities import Abilities
from actorllm.actors.library.opened import Analysis
from actorllm.actors.library.templates import TemplateFacts
from actorllm.actors.runner.parse import PARSERS

__all__ = ["ANALYSIS"]


def _template(text: str) -> TemplateFacts:
    return TemplateFacts()


def _parser(name: str) -> Abilities:
    info = PARSERS.get(name)
    return Abilities() if info is None else Abilities(tools=info.tools, thinking=info.thinking)


ANALYSIS = Analysis(_template, _parser)
"""For `Library`."""
