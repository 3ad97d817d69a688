"""Judges the recorded prompts of public Jinja templates, which are not part of the repository.

`python -m tests.campaigns.templates` gets them.
"""

import hashlib
import re

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.jinja_facts import jinja_facts
from actorllm.actors.runner.prompt.rendering import render_chat
from actorllm.actors.runner.prompt.select import PromptTemplates
from tests.prompt.cases import NOW, load, openai_messages, tools
from tests.prompt.deviations import AS_PYTHON, JINJA

__all__ = ["judge", "wrong_facts"]

_DATE_FORMS = ("%Y-%m-%d", "%d %b %Y", "%B %d, %Y", "%d %B %Y")


def judge(case, source):
    """Say of our prompt: `equal` to llama.cpp's, `python`'s, `ours` by a reason, or `wrong`."""
    found = compare(case, source)
    listed = {"python": AS_PYTHON, "wrong": JINJA}.get(found)
    if listed is None:
        return found
    return {"python": "python", "wrong": "ours"}[found] if case["id"] in listed else "wrong"


def compare(case, source):
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
    except TemplateError:
        if "error" in expect:
            return "equal"
        return "python" if python == "error" else "wrong"
    text = undated(made.text, case) if case.get("date") else made.text
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    if "error" in expect:
        return "python" if python == "renders" else "wrong"
    if text == expect.get("prompt") or digest == expect.get("sha256"):
        return "equal"
    same_as_python = isinstance(python, dict) and digest == python.get("sha256")
    return "python" if same_as_python else "wrong"


def undated(text, case):
    for form in _DATE_FORMS:
        text = text.replace(NOW.strftime(form), f"{{{{DATE:{form}}}}}")
    return text


def wrong_facts(folder):
    """Give the templates whose thinking tags we see otherwise than recorded.

    Those whose recorded tags stand nowhere in their text are left out: the library knows them by
    the model's name.
    """
    wrong = []
    for case in load("jinjainfo"):
        source = (folder / case["name"]).read_text("utf-8")
        tags, expect = jinja_facts(source).tags, case["expect"]
        opened, ends = expect.get("thinking_start", ""), expect.get("thinking_ends", [""])
        if (tags.open, tags.close in ends) == (opened, True):
            continue
        named_only = not tags and re.sub(r"\W", "", opened) not in re.sub(r"\W", "", source)
        if not (named_only or "[BEGIN FINAL RESPONSE]" in ends):
            wrong.append(case["name"])
    return wrong
