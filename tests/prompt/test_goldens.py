"""Every recorded prompt, but for the deviations that are listed with their reasons."""

from actorllm.actors.runner.prompt import TemplateError, go_facts
from actorllm.actors.runner.prompt.gotemplate import GoTemplate
from actorllm.actors.runner.prompt.renderers import RENDERERS, render
from tests.prompt.cases import NOW, load, messages, tools, undated

RENDER_DEVIATIONS = {
    "render/functiongemma/parallel_open+on": "results carry the name of the call they answer",
    "render/functiongemma/tool_first": "a result keeps its own name",
    "render/functiongemma/values+odd": "results carry the name of the call they answer",
    "render/cohere/tool_round_thinking+one+on": "a result without an id is matched by its name",
    "render/cohere/values+odd": "a result without an id is matched by its name",
    "render/cohere/images_tool": "a result without an id is matched by its name",
}
"""The reference names results by their position, or leaves their number empty."""

TMPLINFO_DEVIATIONS = {
    "tmplinfo/bad_index/info": "names inside of parentheses count, too",
}


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
        RENDER_DEVIATIONS, key=[case["id"] for case in load("render")].index
    )


def test_every_renderer_has_recorded_prompts():
    assert {case["name"] for case in load("render")} - {"qwen9"} == set(RENDERERS)


def test_go_templates_make_the_recorded_prompts():
    assert failing("gotemplate", go_case) == []


def test_facts_of_go_templates_are_the_recorded_ones():
    failed = []
    for case in load("tmplinfo"):
        try:
            facts = go_facts(load("inputs")["own_templates"][case["own"]])
        except TemplateError:
            found = {"error"}
            agreed = "error" in case["expect"]
        else:
            found = {
                "vars": sorted(facts.variables),
                "think_open": facts.tags.open,
                "think_close": facts.tags.close,
                "tool_tag": facts.tool_tag,
            }
            agreed = found == case["expect"]
        if not agreed:
            failed.append(case["id"])
    assert failed == list(TMPLINFO_DEVIATIONS)
