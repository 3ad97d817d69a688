"""The models that are loaded, as clients see them."""

import math

import pytest

from actorllm.actors.scheduler.listing import loaded_list
from tests.scheduler.records import make_runner

NOON = 10**18
SECOND = 10**9


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
    [row] = loaded_list([make_runner("ant", state="ready", **changes)], 50.0, NOON).models
    assert row.expires_at == expires


def test_what_stays_longest_is_first_and_what_is_not_loaded_is_not_told():
    runners = [
        make_runner("ant", state="ready"),
        make_runner("bee", state="ready", keep_alive=20.0),
        make_runner("cow"),
        make_runner("dog", state="stopping"),
    ]
    assert [row.name for row in loaded_list(runners, 0.0, NOON).models] == ["bee", "ant"]
