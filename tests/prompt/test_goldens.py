"""Every recorded prompt, but for the deviations that are listed with their reasons."""

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.gofacts import go_facts
from actorllm.actors.runner.prompt.gotemplate import GoTemplate
from actorllm.actors.runner.prompt.renderers import RENDERERS, render
from tests.prompt.cases import NOW, load, messages, tools, undated
from tests.prompt.deviations import RENDER, TMPLINFO


def outcome(make):
    try:
        return {"prompt": undated(make())}
    except TemplateError as error:
        return {"error": str(error)}


def agrees(found, expect):
    if "error" in expect:
        return "error" in found
    return found.get("prompt") in expect.get("any", [expect.get("prompt")])


def failing(kind, make):
    return [
        case["id"]
        for case in load(kind)
        if not agrees(outcome(lambda: make(case)), case["expect"])  # noqa: B023 -- called at once
    ]


def render_case(case):
    return render(case["name"], messages(case["messages"]), tools(case), case.get("think"), now=NOW)


def go_case(case):
    template = GoTemplate(load("inputs")["own_templates"][case["own"]])
    if case.get("suffix"):
        return template.render_insert(case["prompt"], case["suffix"], case.get("think"), NOW)
    return template.render_chat(messages(case["messages"]), tools(case), case.get("think"), NOW)


def test_built_in_renderers_make_the_recorded_prompts():
    assert failing("render", render_case) == sorted(
        RENDER, key=[case["id"] for case in load("render")].index
    )


def test_every_renderer_has_recorded_prompts():
    assert {case["name"] for case in load("render")} - {"qwen9"} == set(RENDERERS)


def test_go_templates_make_the_recorded_prompts():
    assert failing("gotemplate", go_case) == []


def knows(case):
    """Whether the facts of a Go template are the recorded ones."""
    try:
        facts = go_facts(load("inputs")["own_templates"][case["own"]])
    except TemplateError:
        return "error" in case["expect"]
    return case["expect"] == {
        "vars": sorted(facts.variables),
        "think_open": facts.tags.open,
        "think_close": facts.tags.close,
        "tool_tag": facts.tool_tag,
    }


def test_facts_of_go_templates_are_the_recorded_ones():
    assert [case["id"] for case in load("tmplinfo") if not knows(case)] == list(TMPLINFO)
