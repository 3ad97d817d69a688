"""Replay the recorded prompts of public Jinja templates.

    python -m tests.prompt.replay_jinja TEMPLATES_DIR

TEMPLATES_DIR holds llama.cpp's `models/templates`. They are not part of this repository: get them
with `pip download --no-binary llama-cpp-python --no-deps llama-cpp-python==0.3.36` (77 MB) and
unpack `vendor/llama.cpp/models/templates`.
"""

import argparse
import hashlib
import re
import sys
from collections import Counter
from pathlib import Path

from actorllm.actors.runner.prompt import (
    PromptTemplates,
    TemplateError,
    jinja_facts,
    render_chat,
)
from tests.prompt.cases import NOW, load, openai_messages, tools

_DATE_FORMS = ("%Y-%m-%d", "%d %b %Y", "%B %d, %Y", "%d %B %Y")
_OWN = {
    "jinja/Kimi-K3/off": "thinking is really off: the template's own name for it is set, too",
    "jinja/fireworks-ai-llama-3-firefunction-v2/multi": "the template's date and functions are set",
    "jinja/fireworks-ai-llama-3-firefunction-v2/tool_round": "the same",
    "jinja/fireworks-ai-llama-3-firefunction-v2/parallel": "the same",
    "jinja/fireworks-ai-llama-3-firefunction-v2/multi_thinking": "the same",
    "jinja/fireworks-ai-llama-3-firefunction-v2/tools_user": "the same",
    "jinja/fireworks-ai-llama-3-firefunction-v2/two_rounds": "the same",
}
"""Prompts of ours that are better than both recorded ones, and why."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Replay recorded prompts of public templates.")
    parser.add_argument("templates", type=Path, help="llama.cpp's models/templates")
    folder = parser.parse_args().templates
    found: Counter[str] = Counter()
    for case in load("jinja"):
        source = (folder / case["name"]).read_text("utf-8")
        verdict, text = judge(case, source)
        if verdict == "wrong" and case["id"] in _OWN:
            verdict = "ours"
        found[verdict] += 1
        if verdict in ("python", "ours", "wrong"):
            say(f"{verdict:8} {case['id']} {_OWN.get(case['id'], '')} {text}".rstrip())
    say(", ".join(f"{count} {verdict}" for verdict, count in found.most_common()))
    facts = check_facts(folder)
    return 1 if found["wrong"] or facts else 0


def judge(case, source):
    """Compare our prompt with llama.cpp's and with the one of Python's Jinja."""
    expect, python = case["expect"], case.get("python")
    templates = PromptTemplates(jinja=source, bos="<BOS>", eos="<EOS>")
    try:
        made = render_chat(
            templates,
            openai_messages(case["messages"]),
            tools(case),
            case.get("enable_thinking"),
            now=NOW,
            variables=case.get("kwargs", {}),
        )
    except TemplateError as error:
        if "error" in expect:
            return "equal", ""
        return ("python", str(error)) if python == "error" else ("wrong", str(error))
    text = undated(made.text, case) if case.get("date") else made.text
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    if "error" in expect:
        return ("python", "") if python == "renders" else ("wrong", "")
    if text == expect.get("prompt") or digest == expect.get("sha256"):
        return "equal", ""
    same_as_python = isinstance(python, dict) and digest == python.get("sha256")
    return ("python" if same_as_python else "wrong"), ""


def undated(text, case):
    for form in _DATE_FORMS:
        text = text.replace(NOW.strftime(form), f"{{{{DATE:{form}}}}}")
    return text


def check_facts(folder):
    """Print where the thinking tags that we see are not the recorded ones; return how many are wrong.

    Templates whose recorded tags stand nowhere in their text are only told: the library knows them
    by the model's name.
    """
    wrong = 0
    for case in load("jinjainfo"):
        source = (folder / case["name"]).read_text("utf-8")
        digest = hashlib.sha256((folder / case["name"]).read_bytes()).hexdigest()[:24]
        tags, expect = jinja_facts(source).tags, case["expect"]
        opened, ends = expect.get("thinking_start", ""), expect.get("thinking_ends", [""])
        known = digest == case["sha256"]
        if known and (tags.open, tags.close in ends) == (opened, True):
            continue
        named_only = not tags and re.sub(r"\W", "", opened) not in re.sub(r"\W", "", source)
        wrong += 0 if named_only or "[BEGIN FINAL RESPONSE]" in ends else 1
        say(f"tags     {case['name']}: {tags.open!r} {tags.close!r}, recorded {opened!r} {ends}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
