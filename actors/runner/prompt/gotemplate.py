"""Go templates: the `TEMPLATE` of a model, in the three ways in which they are used.

messages   the template walks over `.Messages`
legacy     it renders one exchange of `.System`, `.Prompt` and `.Response`, run for each
insert     it is given `.Prompt` and `.Suffix` to fill in the middle
"""

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gotpl import TemplateError as GoSyntaxError
from gotpl.parse import ListNode, parse_template
from gotpl.parse.parser import ParserLimits

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError
from actorllm.actors.runner.prompt.goeval import evaluate
from actorllm.actors.runner.prompt.gofacts import GoFacts
from actorllm.actors.runner.prompt.gofuncs import FUNCTION_NAMES
from actorllm.actors.runner.prompt.gotree import (
    cut_after_response,
    thinking_tags,
    tool_tag,
    variables,
)
from actorllm.actors.runner.prompt.govalues import go_messages, go_tools
from actorllm.actors.runner.prompt.gowords import in_gos_words
from actorllm.actors.runner.prompt.images import with_content
from actorllm.actors.runner.prompt.limits import Budget
from actorllm.protocol.chat import ChatMessage, Think, Tool

__all__ = ["GoTemplate", "collate"]

_LIMITS = ParserLimits(max_source_bytes=256 << 10, max_tokens=30_000, max_nesting=50)
_RESULT_MARKS = ('eq .Role "tool"', 'eq $m.Role "tool"', "tool_response", "TOOL_RESULTS")


class GoTemplate:
    """A parsed Go template.

    Raises:
        TemplateError: the source is not a valid template.
    """

    def __init__(self, source: str) -> None:
        self._root, self._named, self.facts = _parse(source)

    def render_chat(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool], think: Think, now: datetime
    ) -> str:
        """Return the prompt of a conversation.

        Raises:
            TemplateError: the template failed or was stopped.
        """
        run = functools.partial(self._run, now=now, budget=Budget.of(messages, tools))
        system, turns = collate(messages)
        if "messages" in self.facts.variables:
            data = {"System": system, "Messages": go_messages(turns), "Tools": go_tools(tools)}
            return run(self._root, data | {"Response": ""} | _thinking(think))
        return self._legacy(turns, functools.partial(run, think=think))

    def render_insert(self, prompt: str, suffix: str, think: Think, now: datetime) -> str:
        """Return the prompt for the text between `prompt` and `suffix`."""
        data = {"Prompt": prompt, "Suffix": suffix, "Response": ""} | _thinking(think)
        return self._run(self._root, data, now, Budget(len(prompt) + len(suffix)))

    def _legacy(self, turns: Sequence[ChatMessage], run: "functools.partial[str]") -> str:
        """Run the template once for each exchange; the last one stays open for the answer."""
        out: list[str] = []
        system = prompt = response = ""
        for turn in turns:
            if (turn.role == "system" and (prompt or response)) or (
                turn.role == "user" and response
            ):
                out.append(run(self._root, _exchange(system, prompt, response)))
                system = prompt = response = ""
            if turn.role == "system":
                system = turn.content
            elif turn.role == "user":
                prompt = turn.content
            elif turn.role == "assistant":
                response = turn.content
        open_end = cut_after_response(self._root)
        return "".join([*out, run(open_end, _exchange(system, prompt, response))])

    def _run(
        self,
        root: ListNode,
        data: Mapping[str, Any],
        now: datetime,
        budget: Budget,
        think: Think = None,
    ) -> str:
        try:
            return evaluate(root, self._named, _thinking(think) | dict(data), now, budget)
        except TemplateError:
            raise
        except (MemoryError, RecursionError) as error:
            raise LimitExceeded("the model's template nests too deep") from error
        except Exception as error:
            raise TemplateError(f"the model's template failed: {error}") from error


def _exchange(system: str, prompt: str, response: str) -> dict[str, Any]:
    return {"System": system, "Prompt": prompt, "Response": response}


def _thinking(think: Think) -> dict[str, Any]:
    level = think if isinstance(think, str) else "medium" if think else ""
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}


def collate(messages: Sequence[ChatMessage]) -> tuple[str, list[ChatMessage]]:
    """Return all system messages as one text, and `messages` with neighbours of one role joined.

    Results of tools are never joined.
    """
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    turns: list[ChatMessage] = []
    for message in messages:
        if turns and turns[-1].role == message.role != "tool":
            content = f"{turns[-1].content}\n\n{message.content}"
            turns[-1] = with_content(turns[-1], content)
        else:
            turns.append(message)
    return system, turns


def _parse(source: str) -> tuple[ListNode, dict[str, ListNode], GoFacts]:
    try:
        tree = parse_template(source, functions=FUNCTION_NAMES, limits=_LIMITS)
        if not variables(tree) & {"messages", "response"}:
            full = source + "{{ .Response }}"
            tree = parse_template(full, functions=FUNCTION_NAMES, limits=_LIMITS)
        facts = _facts(source, tree.root, variables(tree))
    except (GoSyntaxError, ValueError) as error:
        raise TemplateError(in_gos_words(str(error), source)) from error
    except (MemoryError, RecursionError) as error:
        raise LimitExceeded("the template nests too deep") from error
    return tree.root, {part.name: part.body for part in tree.definitions}, facts


def _facts(source: str, root: ListNode, names: frozenset[str]) -> GoFacts:
    tags = thinking_tags(root)
    return GoFacts(
        variables=names,
        tools="tools" in names,
        insert="suffix" in names,
        thinking=bool(tags),
        tool_round_trip={"tools", "toolcalls"} <= names
        and any(mark in source for mark in _RESULT_MARKS),
        tags=tags,
        tool_tag=tool_tag(root),
    )
