"""Parse the recorded answers of models whose format is told by their Jinja template.

    python -m tests.parse.replay_jinja TEMPLATES_DIR

The templates are public, but not ours to ship: they are the folder `models/templates` of
llama.cpp, which is in the source distribution of llama-cpp-python
(`pip download --no-binary llama-cpp-python --no-deps llama-cpp-python==0.3.36`, then unpack
`vendor/llama.cpp/models/templates`). Each prompt is rendered first, since its end tells whether
the answer begins inside the thinking. Content and thinking are compared without the white space
at their edges. Of an answer that was cut off, the complete calls must be read and the rest must
be flagged; where the reference gives half of a call's arguments, we show the text.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actorllm.actors.runner.parse import Parsed, TemplateFacts, make_parser, opens_thinking
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import habits_of, jinja_variables
from actorllm.protocol.chat import ChatMessage
from tests.parse.cases import Case, load, outcome, run, same, splits, tools_of

WHY = {
    "DeepSeek-V3.2": "A closing tag alone, as the first thing said, is no content.",
    "LFM2-8B-A1B": "Thinking at the start of an answer is split off, even if the template knows none.",
    "LFM2.5-Instruct": "Thinking at the start of an answer is split off, even if the template"
    " knows none.",
    "gemma-4-31B-it/pre_one": "Text behind a call is content; the reference drops it.",
    "functionary-medium-v3.2/pre_one": "A call behind text is a call; the reference leaves it text.",
}
"""Parts of the ids of cases that we read otherwise, and why."""

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


def main(folder: Path) -> int:
    cases = load("jinjaparse")
    counts = {"agree": 0, "deviate": 0, "fail": 0}
    for case in cases:
        parsed = read(case, folder)
        if agrees(case, parsed):
            counts["agree"] += 1
            continue
        why = next((text for part, text in WHY.items() if part in case["id"]), "")
        counts["deviate" if why else "fail"] += 1
        sys.stdout.write(f"{case['id']}: {why or parsed}\n")
    sys.stdout.write(f"{len(cases)} answers: {counts}\n")
    return 1 if counts["fail"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
