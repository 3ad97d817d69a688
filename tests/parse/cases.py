"""The recorded cases of parsers, and ways to run and compare them."""

import functools
import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from actorllm.actors.runner.parse import OutputParser, Parsed, TemplateFacts, make_parser
from actorllm.actors.runner.parse.parsed import join
from actorllm.protocol.chat import ChatMessage

Case = dict[str, Any]
Outcome = dict[str, Any]

_GOLDENS = Path(__file__).parent.parent / "goldens" / "parse"
_TOKENS = re.compile(r"<[^<>\n]{1,60}>|\[/?[A-Z_]{2,20}\]| ?\w+|\s+|.", re.DOTALL)


@functools.cache
def load(name: str) -> Any:
    return json.loads((_GOLDENS / f"{name}.json").read_text(encoding="utf-8"))


def tools_of(case: Case) -> list[dict[str, Any]]:
    tools = case.get("tools")
    return [] if tools is None else load("inputs")["tools"][tools]


def maker(case: Case) -> Callable[[], OutputParser]:
    """Give what makes a fresh parser for the case."""
    if case["kind"] == "parse":
        last = case.get("last_message")
        return functools.partial(
            make_parser,
            case["name"],
            tools=tools_of(case),
            think=case.get("think"),
            last_message=ChatMessage(**last) if last else None,
        )
    if case["kind"] == "thinkparse":
        facts = TemplateFacts(think_open=case["open"], think_close=case["close"])
        return functools.partial(make_parser, template=facts)
    text = load("inputs")["own_templates"].get(case["own"], "")
    facts = TemplateFacts(text=text, tool_tag=case["tag"])
    return functools.partial(make_parser, template=facts, tools=tools_of(case))


def run(parser: OutputParser, pieces: Iterable[str]) -> Parsed:
    return join([*(parser.feed(piece) for piece in pieces), parser.finish()])


def splits(text: str) -> list[list[str]]:
    """Give the text whole, in characters, in tokens, and in random pieces."""
    chance = random.Random(text)
    result = [[text], list(text), _TOKENS.findall(text)]
    for _ in range(3):
        cuts = sorted(chance.randrange(len(text) + 1) for _ in range(6))
        edges = zip([0, *cuts], [*cuts, len(text)], strict=True)
        result.append([text[start:end] for start, end in edges])
    return result


def outcome(parsed: Parsed) -> Outcome:
    """Give the parser's result in the form of the recorded ones."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in parsed.tool_calls]
    fields = {"content": parsed.content, "thinking": parsed.thinking, "calls": calls}
    return {key: value for key, value in fields.items() if value}


def comparable(expected: Outcome) -> Outcome:
    """Take from a recorded result what does not matter: indexes, and empty fields."""
    calls = [
        {"name": call["name"], "arguments": call["arguments"]} for call in expected.get("calls", [])
    ]
    return {key: value for key, value in {**expected, "calls": calls}.items() if value}


def same(ours: Any, theirs: Any) -> bool:
    """Whether two values are equal; numbers as the reference holds them, in 64-bit floats."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return float(ours) == float(theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return bool(ours == theirs)


def accepted(case: Case) -> list[Outcome]:
    """Give all that the reference answers, depending on the split, but for failures."""
    listed = [case["expect"], *case.get("differs", {}).values()]
    return [comparable(each) for each in listed if isinstance(each, dict) and "error" not in each]


def agrees(case: Case, parsed: Parsed) -> bool:
    ours = outcome(parsed)
    return any(same(ours, theirs) for theirs in accepted(case))
