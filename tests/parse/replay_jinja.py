"""Judges the recorded answers of models whose format is told by their public Jinja template.

`python -m tests.campaigns.templates` gets the templates. Each prompt is rendered first, since its
end tells whether the answer begins inside the thinking. Content and thinking are compared without
the white space at their edges. Of an answer that was cut off, the complete calls must be read and
the rest must be flagged; where the reference gives half of a call's arguments, we show the text.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actorllm.actors.runner.parse import Parsed, TemplateFacts, make_parser, opens_thinking
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import habits_of, jinja_variables
from actorllm.protocol.chat import ChatMessage
from tests.parse.cases import Case, outcome, run, same, splits, tools_of
from tests.parse.deviations import JINJA

__all__ = ["judge"]

_PROMPTED = "Here are my reasoning steps:"
"""Reference only: thinking holds what the prompt began it with."""


def facts_of(case: Case, folder: Path) -> TemplateFacts:
    return TemplateFacts(kind="jinja", text=(folder / case["name"]).read_text(encoding="utf-8"))


def prompt_of(case: Case, template: str) -> str:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    variables = jinja_variables(
        [ChatMessage("user", "Go on.")],
        tools_of(case),
        case.get("enable_thinking"),
        now=now,
        habits=habits_of(template),
        bos="<BOS>",
        eos="<EOS>",
    )
    return JinjaTemplate(template).render(variables, now)


def read(case: Case, folder: Path) -> Parsed:
    """Parse the answer; its splits must agree."""
    facts = facts_of(case, folder)
    inside = opens_thinking(prompt_of(case, facts.text), facts)
    results = [
        run(make_parser(template=facts, tools=tools_of(case), starts_in_thinking=inside), pieces)
        for pieces in splits(case["output"])
    ]
    assert all(result == results[0] for result in results), case["id"]
    return results[0]


def complete_calls(case: Case) -> list[dict[str, Any]]:
    """Give the recorded calls whose arguments are complete."""
    calls = []
    for call in case["expect"].get("calls", []):
        try:
            arguments = json.loads(call["arguments"])
        except ValueError:
            continue
        calls.append({"name": call["name"], "arguments": arguments})
    return calls


def agrees(case: Case, parsed: Parsed) -> bool:
    expect = case["expect"]
    ours = outcome(parsed).get("calls", [])
    theirs = complete_calls(case)
    content, thinking = expect.get("content", "").strip(), expect.get("thinking", "").strip()
    if parsed.thinking.strip() != thinking.removeprefix(_PROMPTED).strip():
        return False
    if not case.get("partial"):
        return same(ours, theirs) and parsed.content.strip() == content
    # The last call may be cut off behind arguments that happen to be complete JSON.
    whole = same(ours, theirs) or (parsed.unparsed and same(ours, theirs[:-1]))
    return whole and parsed.content.strip().startswith(content)


def judge(case: Case, folder: Path) -> str:
    """Say of our reading: `equal` to the recorded one, `ours` by a reason, or `wrong`."""
    if agrees(case, read(case, folder)):
        return "equal"
    return "ours" if case["id"] in JINJA else "wrong"
