"""How an engine is set up for a load, and the memory that it takes."""

from pathlib import Path

import attrs
import pytest

from actorllm.actors.runner.engine.ladder import RUNGS
from actorllm.actors.scheduler.room import SHARE_BESIDE_OTHERS
from actorllm.actors.scheduler.shape import engine_settings, fitted, need, rung_notice
from actorllm.actors.scheduler.terms import terms_of
from actorllm.protocol.messages.models import MemoryShape
from actorllm.protocol.options import Options
from tests.simulation.system import make_model, make_settings

LARGE = make_model("large", context_length=131072)
SETTINGS = make_settings(Path("/nowhere"))


def terms(model=LARGE, settings=SETTINGS, **options):
    return terms_of(model, Options(**options), settings)


def test_a_load_on_deterministic_terms_is_told_so():
    assert engine_settings(LARGE, terms(deterministic=True), SETTINGS, 0).deterministic
    assert not engine_settings(LARGE, terms(), SETTINGS, 0).deterministic


def test_the_engine_gets_what_request_and_daemon_want():
    settings = make_settings(
        Path("/nowhere"), num_parallel=3, kv_cache_type="q8_0", flash_attention=False
    )
    wanted = terms(num_ctx=512, num_batch=64, num_gpu=7, main_gpu=1, num_thread=2, use_mmap=False)
    engine = engine_settings(LARGE, wanted, settings, 0)
    assert (engine.model_path, engine.num_ctx, engine.slots) == ("/blobs/large", 512, 3)
    assert (engine.num_batch, engine.threads, engine.use_mmap) == (64, 2, False)
    assert (engine.num_gpu, engine.main_gpu) == (7, 1)
    assert (engine.kv_type, engine.flash_attention) == ("q8_0", "off")


def test_what_nobody_says_is_left_to_the_engine():
    engine = engine_settings(LARGE, terms(), SETTINGS, 0)
    assert (engine.num_batch, engine.threads, engine.use_mmap) == (512, 0, None)
    assert (engine.num_gpu, engine.main_gpu, engine.flash_attention) == (-1, 0, "auto")
    assert engine.extra_buffers


@pytest.mark.parametrize(("context", "batch"), [(512, 512), (8192, 2048)])
def test_requests_of_an_embedding_model_share_long_batches(context, batch):
    model = make_model("emb", context_length=context, pooling=1)
    engine = engine_settings(model, terms(model, num_ctx=context), SETTINGS, 0)
    assert engine.embedding
    assert (engine.slots, engine.num_batch) == (32, batch)


def test_each_rung_is_told_but_the_first():
    assert rung_notice(0) == ()
    for rung in RUNGS[1:]:
        assert rung_notice(rung.number) == (f"degraded to stay alive: {rung.text}",)
        assert engine_settings(LARGE, terms(), SETTINGS, rung.number).rung == rung.number


def test_memory_grows_with_slots_and_context():
    model = make_model(
        "m",
        context_length=131072,
        memory=MemoryShape(weights=1 << 30, layers=16, kv_values=1 << 14, embedding=2048),
    )

    def total(num_ctx, slots):
        settings = make_settings(Path("/nowhere"), num_parallel=slots)
        engine = engine_settings(model, terms(model, num_ctx=num_ctx), settings, 0)
        return need(model, engine).total

    assert 1 << 30 < total(4096, 1) < total(4096, 4) < total(32768, 4)


CHAT = make_model(
    "chat",
    context_length=131072,
    memory=MemoryShape(weights=1 << 30, layers=16, kv_values=1 << 14, embedding=2048),
)


def windows(free, idle=0, *, model=CHAT, settings=SETTINGS, **options):
    """Give the windows of context that a load takes, and whether its slots share them."""
    engine = engine_settings(model, terms(model, num_ctx=4096, **options), settings, 0)
    engine = fitted(model, engine, settings, free, idle)
    if engine.unified:
        assert (engine.slots, engine.measured, engine.unordered) == (16, True, True)
        return engine.cells / engine.num_ctx, True
    return engine.slots, False


def needed(count):
    """Give the free memory in which a pool of so many windows has room."""
    engine = engine_settings(CHAT, terms(CHAT, num_ctx=4096), SETTINGS, 0)
    engine = attrs.evolve(engine, unified=True, cells=count * 4096)
    return int(need(CHAT, engine).total / SHARE_BESIDE_OTHERS) + 1


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_pool_has_as_many_windows_as_have_room_beside_others(count):
    assert windows(needed(count)) == (count, True)
    assert windows(needed(count) - 2) == (max(1, count - 1), True)


def test_each_slot_has_a_window_of_its_own_where_there_is_memory_in_plenty():
    def total(**changes):
        engine = engine_settings(CHAT, terms(CHAT, num_ctx=4096), SETTINGS, 0)
        return need(CHAT, attrs.evolve(engine, **changes)).total

    plenty = 8 * (total() - total(unified=True, cells=4 * 4096))
    assert plenty > 2 * total()
    assert windows(plenty) == (16, False)
    assert windows(plenty - 8) == (4, True)


def test_idle_models_go_for_a_single_window_but_not_for_more():
    assert windows(needed(1), idle=1 << 60) == (1, True)
    assert windows(needed(1) - 2, idle=1 << 60) == (4, True)


def test_without_a_pool_there_are_as_many_slots_as_windows_have_room():
    assert windows(1 << 60, deterministic=True) == (4, False)
    assert windows(0, deterministic=True) == (1, False)


def test_a_number_of_slots_that_somebody_has_set_is_kept_whatever_the_memory():
    settings = make_settings(Path("/nowhere"), num_parallel=7)
    assert windows(0, settings=settings) == (7, False)
    embedder = make_model("emb", context_length=4096, pooling=1)
    assert windows(0, model=embedder) == (32, False)


@pytest.mark.parametrize(
    ("slots", "deterministic", "cells"), [(4, False, 5), (4, True, 4), (1, False, 1)]
)
def test_a_window_is_counted_for_a_prompt_that_is_read_apart(slots, deterministic, cells):
    settings = make_settings(Path("/nowhere"), num_parallel=slots)
    asked = terms(CHAT, num_ctx=4096, deterministic=deterministic)
    cache = need(CHAT, engine_settings(CHAT, asked, settings, 0)).kv_cache
    assert cache == cells * 4096 * (1 << 14) * 2


def test_the_scores_of_the_plain_attention_are_counted():
    model = attrs.evolve(CHAT, memory=attrs.evolve(CHAT.memory, heads=32))

    def compute(**changes):
        settings = make_settings(Path("/nowhere"), num_parallel=4, **changes)
        engine = engine_settings(model, terms(model, num_ctx=4096), settings, 0)
        return need(model, engine).compute

    assert compute() > 128 * 4 * 4096 * 32 * 4 > compute(flash_attention=True)
