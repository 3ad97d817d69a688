"""Some of the campaign of structures: whatever ends with `stop` keeps to its schema."""

import re
from typing import Any

import pytest

from tests.campaigns.structure import WAYS, Way, refusals, violations
from tests.engine.schemas import NASTY, generated
from tests.integration.daemon import MODEL, Daemon

SCHEMAS = dict(enumerate([*NASTY, *generated(7, 180)]))
EVERY = 38
END_IN_THOUGHTS = (26, 53)
"""With these seeds the model ends in its thoughts, if it may."""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_what_ends_with_stop_keeps_to_its_schema(daemon: Daemon, way: Way):
    seeds = {*range(0, len(SCHEMAS), EVERY), *END_IN_THOUGHTS}
    wrong, counts = violations(daemon, way, {seed: SCHEMAS[seed] for seed in seeds})
    assert not wrong
    assert counts["stop"] >= len(seeds) // 2
    assert bool(counts["thought"]) == way.think


def test_what_cannot_be_kept_to_is_refused_by_name(daemon: Daemon):
    assert not refusals(daemon, WAYS[0])
    assert not refusals(daemon, WAYS[3])


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/api/generate", {"prompt": "Hi"}),
        ("/api/chat", {"think": True}),
        ("/v1/chat/completions", {}),
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/messages", {"max_tokens": 200}),
        ("/v1/responses", {"input": "Hi"}),
    ],
)
def test_a_grammar_is_kept_to_on_every_api(daemon: Daemon, path: str, more: dict[str, Any]):
    messages = [{"role": "user", "content": "Hi"}]
    body = {"model": MODEL, "messages": messages, "stream": False, "temperature": 1} | more
    said = daemon.post(path, **body, grammar='root ::= "seed " [0-9]{2} ("x" | "y")')
    assert re.search(r'"seed \d\d[xy]"', said.text), said.text
    refused = daemon.post(path, **body, grammar="root ::= (")
    assert (refused.status_code, "invalid grammar: " in refused.text) == (400, True)
