"""How models write calls, as grammars: an answer that must call a tool is held to one of these.

The parsers beside this folder are lenient readers of what models write; a form is strict, and
writes what the parser of the same family reads.

grammar     rules of a grammar while they are put together
declared    tools, and schemas of their arguments that can be kept to
patterns    strings as their schema wants them
tagged      arguments as text between tags
literals    arguments as `key:value` with quotes of the format's own
pieces      calls one after the other, in lists, between tags
marked      answers: words, then calls behind a mark
channels    answers that are rows of messages
families    the form of each family
choose      which of them a model has
"""

from actorllm.actors.runner.forms.choose import form_for
from actorllm.actors.runner.forms.declared import Parameters, callables, notices_of
from actorllm.actors.runner.forms.families import FORMS, form_of
from actorllm.actors.runner.forms.grammar import Grammar
from actorllm.actors.runner.forms.marked import Form, Shape

__all__ = [
    "FORMS",
    "Form",
    "Grammar",
    "Parameters",
    "Shape",
    "callables",
    "form_for",
    "form_of",
    "notices_of",
]
