"""From a request's format and its prompt to the structure of its answer."""

import json

import pytest

from actorllm.actors.runner.conversation import templates_of
from actorllm.actors.runner.forms import form_for
from actorllm.actors.runner.parse import TemplateFacts
from actorllm.actors.runner.prompt.rendering import Rendered
from actorllm.actors.runner.prompt.select import Choice
from actorllm.actors.runner.prompt.tags import NO_TAGS, ThinkingTags, opens_thinking
from actorllm.actors.runner.structure import structure_for, structure_of, structure_of_calls
from actorllm.protocol.chat import ToolChoice
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from tests.simulation.system import make_model

THINK = ThinkingTags("<think>", "</think>")
HARMONY_FINAL = "<|channel|>final<|message|>"


def rendered(text, tags=THINK, *, harmony=False):
    return Rendered(
        text=text,
        choice=Choice("jinja", "", harmony),
        images=(),
        tags=tags,
        starts_in_thinking=opens_thinking(text, tags),
        tool_tag="{",
        has_bos=False,
    )


def thoughts(made, **changes):
    structure = structure_of("json", made, **changes)
    return structure.opening, structure.closings


@pytest.mark.parametrize("wanted", [None, ""])
def test_no_format_is_no_structure(wanted):
    assert structure_of(wanted) is None


@pytest.mark.parametrize("wanted", ["json", {}])
def test_json_mode_is_any_object(wanted):
    assert json.loads(structure_of(wanted).text) == {"type": "object"}


def test_what_cannot_be_kept_to_is_refused_by_name():
    for wanted, name in (
        ({"type": "object", "properties": {"a": {"uniqueItems": True}}}, "uniqueItems"),
        ({"type": "string", "format": "password"}, "format: password"),
        ({"type": "nonsense"}, "nonsense"),
        ({"$ref": "#/nowhere"}, "/nowhere"),
    ):
        with pytest.raises(Refused) as caught:
            structure_of(wanted)
        assert caught.value.problem.status == 400
        assert caught.value.problem.text.startswith("invalid JSON schema in format: ")
        assert name in caught.value.problem.text
        assert "\n" not in caught.value.problem.text


def test_beside_calls_a_format_is_refused_as_without_them():
    deep = {"type": "object"}
    for _ in range(70):
        deep = {"properties": {"a": deep}}
    form = form_for("qwen3", TemplateFacts())
    for wanted in (deep, {"uniqueItems": True}, {"minProperties": 2}):
        refusals = []
        for make in (
            lambda wanted=wanted: structure_of(wanted),
            lambda wanted=wanted: structure_of_calls(
                ToolChoice("auto"), (), form, wanted, ("", ())
            ),
        ):
            with pytest.raises(Refused) as caught:
                make()
            refusals.append(caught.value.problem)
        assert refusals[0] == refusals[1]


@pytest.mark.parametrize(
    ("made", "changes", "expected"),
    [
        (None, {}, ("", ())),
        (rendered("user: hi\n", NO_TAGS), {}, ("", ())),
        (rendered("<|im_start|>assistant\n"), {}, ("<think>", ("</think>",))),
        (rendered("<|im_start|>assistant\n"), {"think": True}, ("<think>", ("</think>",))),
        (rendered("<|im_start|>assistant\n"), {"think": False}, ("", ())),
        (rendered("assistant\n<think>\n"), {"think": True}, ("", ("</think>",))),
        (rendered("assistant\n<think>\n\n</think>\n\n"), {"think": True}, ("", ())),
        (
            rendered("model\n", NO_TAGS),
            {"parser": "gemma4"},
            ("<|channel>thought", ("<channel|>",)),
        ),
        (rendered("model\n", NO_TAGS), {"parser": "qwen3"}, ("", ())),
        (rendered("model\n", NO_TAGS), {"parser": "no such"}, ("", ())),
    ],
)
def test_whether_thoughts_may_come_first_follows_from_the_prompt(made, changes, expected):
    assert thoughts(made, **changes) == expected


def test_gpt_oss_answers_behind_a_header():
    for made, parser in ((rendered("x", harmony=True), None), (rendered("x"), "harmony")):
        opening, closings = thoughts(made, parser=parser)
        assert (opening, closings[0]) == ("", HARMONY_FINAL)


def asked(*, parser="", **request):
    model = make_model("m", parser=parser)
    return structure_for(
        model, GenerateRequest("m", "chat", **request), templates_of(model), rendered("", NO_TAGS)
    )


def test_a_grammar_is_all_that_holds_an_answer():
    structure, unheld = asked(grammar='root ::= "a"')
    assert (structure.kind, structure.text, unheld) == ("gbnf", 'root ::= "a"', ())


def test_calls_of_a_form_that_nobody_knows_leave_the_format_to_be_kept_to():
    tools = ({"type": "function", "function": {"name": "f"}},)
    structure, unheld = asked(
        parser="passthrough", tools=tools, tool_choice=ToolChoice("required"), format="json"
    )
    assert json.loads(structure.text) == {"type": "object"}
    assert unheld == ("tool_choice is not enforced: how this model writes calls is not known",)


def test_an_open_format_has_no_structure():
    assert asked() == (None, ())
