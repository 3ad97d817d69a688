"""The recorded exchanges of the reference, one by one, against the real daemon."""

import json
from collections import Counter

import pytest

from tests.http.described import problems as undescribed
from tests.replay import registry
from tests.replay.compare import differences
from tests.replay.exchange import GOLDENS, Server
from tests.replay.extensions import EXTENSIONS

GROUPS = sorted(path.stem for path in GOLDENS.glob("*.json") if path.stem != "models")


@pytest.fixture(scope="module")
def strange():
    """What the document of the API does not say of the answers that came."""
    return []


@pytest.fixture(scope="module")
def counted():
    """How many answers were as recorded, deviate on purpose, or failed."""
    return Counter()


@pytest.fixture(scope="module")
def server(start, strange):
    """A daemon with an empty store, as the reference was recorded; the recorded models in it."""
    daemon = start(ACTORLLM_BUILTIN="0", ACTORLLM_NO_CLOUD="1", ACTORLLM_TRANSFER_RETRY_WAIT="10ms")
    server = Server(daemon.url, registry.start())
    server.prepare()

    def look(answer):
        answer.read()
        strange.extend(undescribed(answer))

    server.http.event_hooks["response"].append(look)
    yield server
    server.http.close()


@pytest.mark.parametrize("group", GROUPS)
def test_the_answers_are_the_recorded_ones(group, server, counted, tell):
    cases = json.loads((GOLDENS / f"{group}.json").read_text())
    failed, bugs, extensions = {}, [], []
    for case in cases:
        answer = server.exchange(case)
        how, volatile = case.get("text", "exact"), case.get("volatile", [])
        problems = differences(case["response"], answer, how, volatile)
        name = f"{group}/{case['id']}"
        if name in EXTENSIONS:
            assert problems, f"{name} is as recorded, and no extension"
            extensions.append(case["id"])
        elif problems and case.get("reference_bug"):
            bugs.append(case["id"])
        elif problems:
            failed[case["id"]] = problems
    counts = {"failed": len(failed), "bugs": len(bugs), "extensions": len(extensions)}
    equal = len(cases) - sum(counts.values())
    counted.update(counts, equal=equal)
    said = [f"replay of {group}: {len(cases) - len(failed)} of {len(cases)}"]
    said += [f"bugs not copied: {', '.join(bugs)}"] if bugs else []
    said += [f"extensions: {', '.join(extensions)}"] if extensions else []
    tell("; ".join(said))
    assert not failed


def test_all_of_these_answers_are_as_the_document_describes_them(strange, counted, tell):
    total = counted.total()
    tell(
        f"replay: {total - counted['failed']} of {total} exchanges: {counted['equal']} equal, "
        f"{counted['bugs']} bugs not copied, {counted['extensions']} extensions"
    )
    assert strange == []
