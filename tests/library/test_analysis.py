"""The library and the runner agree on templates: recorded answers with the real ANALYSIS."""

import json

from actorllm.actors.library.library import Library
from actorllm.actors.library.templates import Abilities, TemplateFacts, Templates
from actorllm.actors.runner.analysis import ANALYSIS
from actorllm.protocol.manifest import TEMPLATE
from actorllm.protocol.messages.models import ResolveModel, ShowModel

from .conftest import GOLDENS, SEEDLING, add_model, layer


def test_recorded_models_can_what_was_recorded(recorded):
    library = Library(recorded, ANALYSIS)
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


def test_the_abler_template_wins_unless_the_user_says_so(recorded):
    template = "{{ .Prompt }}"
    plain = Templates(go=template, jinja=library_template(recorded))
    assert ANALYSIS.choose(plain, None).native
    assert not ANALYSIS.choose(plain, True).native
    assert ANALYSIS.choose(plain, False).native
    assert ANALYSIS.choose(Templates(), None).native
    assert not ANALYSIS.choose(Templates(go=template), None).native
    assert not ANALYSIS.choose(Templates(renderer="qwen3-coder"), None).native


def library_template(recorded):
    return Library(recorded, ANALYSIS).resolve(ResolveModel("seedling", "chat")).chat_template


def test_what_is_unknown_can_nothing():
    assert ANALYSIS.parser("no such parser") == Abilities()
    assert ANALYSIS.parser("qwen3-coder").tools
    assert ANALYSIS.go("{{ .Prompt }}") == TemplateFacts()
    assert ANALYSIS.go("{{ if }") == TemplateFacts()


def test_a_template_that_does_not_parse_does_not_hide_the_model(catalog):
    bad = layer(catalog.blobs, TEMPLATE, "{{ if }")
    add_model(catalog, "bad", bad, weights=SEEDLING.read_bytes())
    library = Library(catalog, ANALYSIS)
    assert [row.capabilities for row in library.models().models] == [("completion",)]
    assert library.show(ShowModel("bad")).name == "bad:latest"
