"""Stores with the models of the recorded cases."""

import json
from pathlib import Path

import pytest

from actorllm.actors.blobs.store import BlobStore
from actorllm.actors.library.catalog import BUILTIN_ROOT, Catalog
from actorllm.actors.library.details import config_of
from actorllm.actors.library.facts import weights_facts
from actorllm.actors.library.gguf import read_gguf
from actorllm.actors.library.library import Library
from actorllm.actors.library.templates import Abilities, Analysis, Choice, TemplateFacts
from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.layers import dump_messages, dump_params
from actorllm.protocol.manifest import (
    CONFIG,
    LICENSE,
    MESSAGES,
    MODEL,
    PARAMS,
    SYSTEM,
    TEMPLATE,
    Layer,
    Manifest,
    dump_config,
    dump_manifest,
)
from actorllm.protocol.names import parse_name

GOLDENS = Path(__file__).parents[1] / "goldens" / "exchanges"
SEEDLING = max((BUILTIN_ROOT / "blobs").iterdir(), key=lambda path: path.stat().st_size)
BERT = GOLDENS / "tiny-bert.gguf"


def go_facts(text):
    """Know the templates of the recorded models, as a reader of Go templates would."""
    return TemplateFacts(".Tools" in text, ".Suffix" in text, ".Thinking" in text)


def jinja_facts(text):
    return TemplateFacts(tools="tools" in text, thinking="<think>" in text)


def choose(templates, wish):
    named = templates.renderer or templates.parser
    return Choice(not named and (not templates.go or wish is False))


def parser(name):
    return Abilities(tools=name == "qwen3", thinking=name == "qwen3")


ANALYSIS = Analysis(go_facts, jinja_facts, parser, choose)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "models")


@pytest.fixture
def catalog(store):
    return Catalog(store, None)


@pytest.fixture
def library(catalog):
    return Library(catalog, ANALYSIS, cache=catalog.blobs.own_folder / "facts.json")


def layer(store, media_type, data, source=""):
    stored = store.put(data if isinstance(data, bytes) else data.encode())
    return Layer(media_type, stored.digest, stored.size, source)


def add_model(catalog, name, *layers, weights=None, config=None, source=""):
    """Store a model; its config describes the weights unless one is given."""
    store = catalog.blobs
    if weights is not None:
        stored = store.put(weights)
        layers = (Layer(MODEL, stored.digest, stored.size, source), *layers)
        config = config or config_of(weights_facts(read_gguf(stored.path)))
    described = None if config is None else layer(store, CONFIG, dump_config(config))
    manifest = Manifest(tuple(layers), described)
    catalog.write(parse_name(name), dump_manifest(manifest))
    return manifest


@pytest.fixture
def recorded(catalog):
    """The models of the recorded cases, as far as they were made by create."""
    store = catalog.blobs
    recipes = {
        recipe["model"]: recipe
        for recipe in json.loads((GOLDENS / "models.json").read_text())["models"]
    }
    seedling = SEEDLING.read_bytes()
    bare = seedling.replace(b"tokenizer.chat_template", b"tokenizer.chat_templatX")
    add_model(catalog, "seedling", weights=seedling)
    add_model(catalog, "gold-bare", weights=bare)
    chatml = layer(store, TEMPLATE, recipes["gold-chatml"]["template"])
    stop = layer(store, PARAMS, dump_params(recipes["gold-chatml"]["parameters"]))
    add_model(catalog, "gold-chatml", chatml, stop, weights=bare)
    tools = layer(store, TEMPLATE, recipes["gold-tools"]["template"])
    add_model(catalog, "gold-tools", tools, weights=bare)
    recipe = recipes["gold-params"]
    messages = tuple(ChatMessage(m["role"], m["content"]) for m in recipe["messages"])
    add_model(
        catalog,
        "gold-params",
        chatml,
        layer(store, SYSTEM, recipe["system"]),
        *(layer(store, LICENSE, text) for text in recipe["license"]),
        layer(store, PARAMS, dump_params(recipe["parameters"])),
        layer(store, MESSAGES, dump_messages(messages)),
        weights=bare,
        source="gold-chatml:latest",
    )
    add_model(catalog, "gold-embed", weights=BERT.read_bytes())
    return catalog
