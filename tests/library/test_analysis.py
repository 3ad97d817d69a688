"""The library and the runner agree on templates: recorded answers with the real analysis."""

import json

import pytest

from actorllm.actors.library.analysis import runner_analysis
from actorllm.actors.library.library import Library
from actorllm.actors.library.templates import Abilities, TemplateFacts, Templates
from actorllm.protocol.manifest import TEMPLATE
from actorllm.protocol.messages.models import ResolveModel, ShowModel

from .conftest import GOLDENS, SEEDLING, add_model, layer


@pytest.fixture(scope="module")
def analysis():
    return runner_analysis()


def test_recorded_models_can_what_was_recorded(recorded, analysis):
    library = Library(recorded, analysis)
    tags = {case["id"]: case for case in json.loads((GOLDENS / "tags_ps.json").read_text())}
    for row in tags["tags"]["response"]["body"]["models"]:
        mine = next(model for model in library.models().models if model.name == row["name"])
        assert list(mine.capabilities) == row["capabilities"], row["name"]
    shown = {case["id"]: case for case in json.loads((GOLDENS / "show.json").read_text())}
    for case in ("show", "show-params", "show-bare", "show-embed", "show-chatml"):
        body = shown[case]["response"]["body"]
        mine = library.show(ShowModel(shown[case]["request"]["body"]["model"]))
        assert list(mine.capabilities) == body["capabilities"]
        assert mine.template == body["template"]


def test_the_abler_template_wins_unless_the_user_says_so(recorded, analysis):
    template = "{{ .Prompt }}"
    plain = Templates(go=template, jinja=library_template(recorded, analysis))
    assert analysis.choose(plain, None).native
    assert not analysis.choose(plain, True).native
    assert analysis.choose(plain, False).native
    assert analysis.choose(Templates(), None).native
    assert not analysis.choose(Templates(go=template), None).native
    assert not analysis.choose(Templates(renderer="qwen3-coder"), None).native


def library_template(recorded, analysis):
    return Library(recorded, analysis).resolve(ResolveModel("seedling", "chat")).chat_template


def test_what_is_unknown_can_nothing(analysis):
    assert analysis.parser("no such parser") == Abilities()
    assert analysis.parser("qwen3-coder").tools
    assert analysis.go("{{ .Prompt }}") == TemplateFacts()
    assert analysis.go("{{ if }") == TemplateFacts()


def test_a_template_that_does_not_parse_does_not_hide_the_model(catalog, analysis):
    bad = layer(catalog.blobs, TEMPLATE, "{{ if }")
    add_model(catalog, "bad", bad, weights=SEEDLING.read_bytes())
    library = Library(catalog, analysis)
    assert [row.capabilities for row in library.models().models] == [("completion",)]
    assert library.show(ShowModel("bad")).name == "bad:latest"
