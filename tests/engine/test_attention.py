"""Where a load on the CPU computes the plain attention."""

import attrs
import pytest

from actorllm.actors.runner.engine.attention import PLAIN_ROWS, TILED_FROM, pool_cells, takes_plain
from actorllm.actors.runner.engine.batching import ChunkSizer
from actorllm.actors.runner.engine.types import EngineSettings

POOL = EngineSettings(model_path="x", num_ctx=4096, slots=16, unified=True, cells=16384)


def test_a_shared_pool_in_f16_is_attended_to_plainly():
    assert takes_plain(POOL, 14)


@pytest.mark.parametrize(
    "change",
    [
        {"unified": False},
        {"kv_type": "q8_0"},
        {"flash_attention": "on"},
        {"flash_attention": "off"},
    ],
)
def test_what_needs_flash_attention_or_was_told_keeps_it(change):
    assert not takes_plain(attrs.evolve(POOL, **change), 14)


def test_scores_that_take_too_much_memory_are_not_kept():
    assert takes_plain(POOL, 64)
    assert not takes_plain(POOL, 65)  # 512 MiB
    assert not takes_plain(attrs.evolve(POOL, cells=1 << 20, num_ctx=1 << 20), 32)
    assert not takes_plain(POOL, 0)


@pytest.mark.parametrize(
    ("change", "cells"),
    [
        ({}, 16384),
        ({"cells": 0}, 65536),
        ({"cells": 100}, 4096),
        ({"cells": 1 << 20}, 65536),
        ({"unified": False}, 65536),
        ({"num_ctx": 4000, "unified": False}, 65536),
    ],
)
def test_a_pool_has_a_window_at_least_and_one_for_each_slot_at_most(change, cells):
    assert pool_cells(attrs.evolve(POOL, **change)) == cells


def make_slow(**options):
    sizer = ChunkSizer(512, **options)
    sizer.measured(64, 8.0)
    sizer.measured(16, 2.0)
    return sizer


def test_behind_many_cells_tiles_are_no_slower_than_small_passes():
    for alone in (False, True):
        assert make_slow().limit(alone=alone, behind=TILED_FROM) == ChunkSizer.TILE
        assert make_slow().limit(alone=alone, behind=TILED_FROM - 1) == ChunkSizer.SMALLEST
        assert make_slow(tiles=False).limit(alone=alone, behind=10**6) == ChunkSizer.SMALLEST


def test_plain_attention_is_computed_in_few_rows(seedling, make_host):
    host = make_host(seedling, num_ctx=512, slots=2, threads=1, unified=True)
    assert host.loaded.flash_attention == "off"
    assert host.engine._opened.context.order.most == PLAIN_ROWS
    assert "shares its cells" in host.loaded.why_not_deterministic
    alone = make_host(seedling, num_ctx=512, slots=2, threads=1)
    assert alone.loaded.flash_attention == "on"
