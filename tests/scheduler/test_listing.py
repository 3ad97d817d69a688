"""The models that are loaded, as clients see them."""

import math
from pathlib import Path

import pytest

from actorllm.actors.scheduler.listing import loaded_list
from actorllm.actors.scheduler.runners import Runner
from actorllm.actors.scheduler.terms import terms_of
from actorllm.protocol.options import Options
from tests.simulation.system import make_model, make_settings

NOON = 10**18
SECOND = 10**9


def runner(name, *, keep_alive=10.0, **changes):
    model = make_model(name)
    terms = terms_of(model, Options(), make_settings(Path("/nowhere")))
    return Runner(model, terms, 0, 100, keep_alive, **({"state": "ready"} | changes))


@pytest.mark.parametrize(
    ("changes", "expires"),
    [
        ({"idle_since": 46.0}, NOON + 6 * SECOND),
        ({}, NOON + 10 * SECOND),
        ({"keep_alive": math.inf}, 2**63 - 1),
        ({"keep_alive": 1e30}, 2**63 - 1),
    ],
    ids=["idle", "busy", "for ever", "for very long"],
)
def test_a_model_stays_for_its_keep_alive_after_its_last_request(changes, expires):
    [row] = loaded_list([runner("ant", **changes)], 50.0, NOON).models
    assert row.expires_at == expires


def test_what_stays_longest_is_first_and_what_is_not_loaded_is_not_told():
    runners = [
        runner("ant"),
        runner("bee", keep_alive=20.0),
        runner("cow", state="loading"),
        runner("dog", state="stopping"),
    ]
    assert [row.name for row in loaded_list(runners, 0.0, NOON).models] == ["bee", "ant"]
