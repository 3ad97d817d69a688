import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.batching import (
    LONG_PROMPT,
    ORDERLY_ROWS,
    WIDE_GAP,
    ChunkSizer,
    Order,
    decode_pass,
    mixed_pass,
    prefill_pass,
    share_rows,
    side_by_side,
)
from actorllm.actors.runner.engine.slots import Slot


def make_slots(*lengths):
    slots = []
    for index, length in enumerate(lengths):
        slot = Slot(index)
        slot.place([1] * length, "small")
        slots.append(slot)
    return slots


ORDER = Order()
TILES = Order(8)


def prefill(slot, tokens, start, **changes):
    options = {
        "prompt": len(tokens),
        "room": 1000,
        "limit": 512,
        "order": ORDER,
        "orderly": False,
        "can_cut": True,
        **changes,
    }
    return prefill_pass(slot, tokens, start, **options)


def decode(due, slots, **changes):
    options = {"order": ORDER, "orderly": False, "can_cut": True, **changes}
    return decode_pass(due, slots, **options)


def test_every_generating_slot_gets_one_row():
    plan = decode({0: 7, 1: 8}, make_slots(5, 3, 0))
    assert [(r.slot, r.position, r.tokens, r.output) for r in plan.runs] == [
        (0, 5, (7,), True),
        (1, 3, (8,), True),
    ]
    assert plan.orderly


def test_gaps_between_generating_slots_are_filled():
    plan = decode({0: 7, 3: 8}, make_slots(5, 3, 0, 2))
    assert [(r.slot, r.position, r.filler) for r in plan.runs] == [
        (0, 5, False),
        (1, 3, True),
        (2, 0, True),
        (3, 2, False),
    ]


def test_a_wide_gap_is_left_unless_order_is_asked_for():
    slots = make_slots(5, *[1] * WIDE_GAP, 2)
    due = {0: 7, WIDE_GAP + 1: 8}
    plan = decode(due, slots)
    assert [run.slot for run in plan.runs] == [0, WIDE_GAP + 1]
    assert not plan.orderly
    assert decode(due, slots, orderly=True).rows == WIDE_GAP + 2


def test_a_single_row_of_floats_is_never_alone_in_order():
    assert decode({0: 7}, make_slots(5), orderly=True).rows == 1
    plan = decode({0: 7}, make_slots(5), orderly=True, order=attrs.evolve(ORDER, pairs=True))
    assert [run.filler for run in plan.runs] == [False, True]


def test_a_single_row_stays_alone_unless_order_is_asked_for():
    plan = decode({1: 7}, make_slots(5, 3))
    assert plan.rows == 1
    assert not plan.orderly


def test_a_single_row_gets_a_filler_behind_it_for_the_sake_of_order():
    plan = decode({1: 7}, make_slots(5, 256), orderly=True)
    assert [(r.slot, r.position, r.filler) for r in plan.runs] == [(1, 256, False), (1, 257, True)]
    assert plan.orderly == "small"


def test_a_single_row_needs_no_filler_behind_few_cells_unless_they_were_shifted():
    plan = decode({1: 7}, make_slots(5, 255), orderly=True)
    assert (plan.rows, plan.orderly) == (1, "small")
    slots = make_slots(5, 300)
    slots[1].shift(4, 150)
    assert decode({1: 7}, slots, orderly=True).rows == 2


def test_rows_that_cannot_be_forgotten_are_not_added():
    plan = decode({0: 7, 2: 8}, make_slots(5, 3, 0), orderly=True, can_cut=False)
    assert [r.slot for r in plan.runs] == [0, 2]
    assert not plan.orderly


@given(
    st.integers(1, 400),
    st.integers(0, 300),
    st.integers(1, 300),
    st.integers(1, 512),
    st.booleans(),
)
def test_chunks_make_progress_within_all_bounds(length, done, room, limit, orderly):
    tokens = list(range(length))
    start = min(done, length - 1)
    (slot,) = make_slots(done)
    plan = prefill(slot, tokens, start, room=room, limit=limit, orderly=orderly)
    run = plan.runs[0]
    assert 1 <= len(run.tokens) <= min(limit, room)
    assert run.tokens == tuple(tokens[start : start + len(run.tokens)])
    assert run.position == done
    assert run.output == (start + len(run.tokens) == length)
    assert all(other.filler for other in plan.runs[1:])
    if orderly:
        assert plan.orderly
        assert 2 <= plan.rows <= ORDERLY_ROWS


@given(st.integers(1, 1000))
def test_an_orderly_prompt_is_cut_into_orderly_chunks_without_fillers_but_for_one_token(length):
    tokens, start = list(range(length)), 0
    (slot,) = make_slots(0)
    while start < length:
        plan = prefill(slot, tokens, start, orderly=True)
        assert plan.orderly
        assert len(plan.runs) == 1 or length == 1
        start += len(plan.runs[0].tokens)
        slot.place(plan.runs[0].tokens, "small")


def test_a_big_chunk_is_not_orderly():
    (slot,) = make_slots(0)
    assert not prefill(slot, list(range(64)), 0).orderly
    assert prefill(slot, list(range(63)), 0).orderly
    assert not prefill(slot, [1], 0).orderly


@given(
    st.integers(1, 300),
    st.integers(0, 100),
    st.integers(0, 300),
    st.integers(16, 512),
)
def test_where_weights_are_tiled_prompts_are_and_answers_are_not(length, answer, done, limit):
    tokens = list(range(length + answer))
    start = min(done, max(0, length - 8))
    (slot,) = make_slots(start)
    while start < len(tokens):
        plan = prefill(slot, tokens, start, prompt=length, limit=limit, order=TILES, orderly=True)
        count = len(plan.runs[0].tokens)
        rows = TILES.rows("small") if start < length else TILES.answers
        assert rows.allow(plan.rows)
        assert plan.orderly == ("small" if start < length else "")
        assert start >= length or start + count <= length
        assert plan.runs[0].output == (start + count == len(tokens))
        assert len(plan.runs) == 1 or length < 8 or start + count > length
        start += count
        slot.place(plan.runs[0].tokens, plan.orderly)
    assert slot.orderly == length


@given(
    st.sampled_from([Order(0, 512), Order(8, 512), Order(8, 128)]),
    st.integers(LONG_PROMPT, 1500),
    st.integers(0, 100),
    st.integers(0, 1500),
    st.integers(1, 1000),
)
def test_long_prompts_are_computed_in_large_passes(order, length, answer, done, limit):
    tokens = list(range(length + answer))
    start = min(done, length - 64)
    (slot,) = make_slots(0)
    slot.place(tokens[:start], "large")
    while start < len(tokens):
        room = length + answer - start + 1
        plan = prefill(
            slot, tokens, start, prompt=length, limit=limit, room=room, order=order, orderly=True
        )
        rows = order.rows("large") if start < length else order.answers
        assert rows.allow(plan.rows)
        assert (plan.orderly == "large") == (start < length)
        assert len(plan.runs) == 1 or start >= length
        start += len(plan.runs[0].tokens)
        assert start <= length or start - len(plan.runs[0].tokens) >= length
        slot.place(plan.runs[0].tokens, plan.orderly)
    assert slot.reusable("large") == length


def test_prompts_are_long_only_where_a_pass_may_have_the_rows():
    assert [Order(0, 512).kind(n) for n in (LONG_PROMPT - 1, LONG_PROMPT)] == ["small", "large"]
    assert Order(0, 64).kind(1000) == Order().kind(1000) == "small"


def test_where_weights_are_tiled_few_slots_generate_in_one_pass():
    slots = make_slots(*[3] * 16)
    assert side_by_side([0, 1, 6, 7, 13, 15], TILES.answers.most) == [[0, 1, 6], [7, 13], [15]]
    assert side_by_side([3], 63) == [[3]]
    assert side_by_side([], 63) == []
    plan = decode({7: 1, 13: 2}, slots, order=TILES, orderly=True)
    assert (plan.rows, plan.orderly) == (7, "")
    assert decode({7: 1}, slots, order=TILES, orderly=True).orderly == ""


def test_a_chunk_takes_as_long_as_others_can_wait():
    sizer = ChunkSizer(512)
    assert sizer.limit(alone=True) == ChunkSizer.TILE
    sizer.measured(64, 0.64)  # 100 tokens a second
    assert sizer.limit(alone=False) < 100 * ChunkSizer.SHARED_SECONDS
    assert sizer.limit(alone=True) == 64
    for _ in range(50):
        sizer.measured(64, 0.001)
    assert sizer.limit(alone=False) == 512


def test_large_passes_are_whole_tiles_and_small_ones_have_a_speed_of_their_own():
    sizer = ChunkSizer(512)
    sizer.measured(128, 0.2)
    assert sizer.limit(alone=False) == 64  # 108 would do
    for _ in range(50):
        sizer.measured(128, 0.4)
    sizer.measured(32, 0.1)
    assert sizer.limit(alone=False, step_seconds=0.05) == 56  # 57 would do


@pytest.mark.parametrize(("rate", "rows"), [(160, 28), (150, 28), (145, 24), (345, 60), (100, 16)])
def test_small_passes_are_whole_fours_or_one_row_more_than_would_do(rate, rows):
    sizer = ChunkSizer(512)
    sizer.measured(32, 32 / rate)
    assert sizer.limit(alone=False) == rows


def test_a_pass_may_take_two_steps_where_steps_are_long():
    sizer = ChunkSizer(512)
    sizer.measured(64, 0.64)
    assert sizer.limit(alone=False, step_seconds=0.65) == 128  # 130 would do


def test_a_slow_machine_still_makes_progress():
    sizer = ChunkSizer(512)
    sizer.measured(64, 64.0)
    assert sizer.limit(alone=False) == ChunkSizer.SMALLEST


def test_tiny_chunks_and_stopped_clocks_teach_nothing():
    sizer = ChunkSizer(512)
    sizer.measured(1, 1.0)
    sizer.measured(64, 0.0)
    assert sizer.rate == 0


@given(st.lists(st.integers(1, 600), max_size=8), st.integers(1, 512))
def test_shares_fill_a_pass_and_the_first_prompt_gets_half_at_least(left, limit):
    shares = share_rows(left, limit)
    assert sum(shares) == min(limit, sum(left))
    assert all(0 <= share <= need for share, need in zip(shares, left, strict=True))
    if left:
        assert shares[0] >= min(left[0], limit // 2)


def test_a_short_prompt_does_not_wait_behind_a_long_one():
    assert share_rows([1000, 300, 20], 100) == [50, 30, 20]


def test_a_mixed_pass_has_a_row_of_each_stream_and_parts_of_prompts():
    slots = make_slots(5, 3, 10)
    plan = mixed_pass({0: 7}, slots, [(slots[1], [1, 2], False), (slots[2], [3], True)])
    assert [(r.slot, r.position, r.tokens, r.output) for r in plan.runs] == [
        (0, 5, (7,), True),
        (1, 3, (1, 2), False),
        (2, 10, (3,), True),
    ]
    assert (plan.kind, plan.orderly) == ("prefill", "")
    assert mixed_pass({0: 7}, slots, []).kind == "decode"
