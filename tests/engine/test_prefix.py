from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.prefix import MIN_COPY_GAIN, common_prefix, place_prompt
from actorllm.actors.runner.engine.slots import Slot


def make_slots(*contents, busy=(), orderly=True):
    slots = []
    for index, tokens in enumerate(contents):
        slot = Slot(index)
        slot.place(tokens, orderly=orderly)
        slot.last_used = index
        slot.stream = object() if index in busy else None
        slots.append(slot)
    return slots


tokens = st.lists(st.integers(0, 2), max_size=20)


@given(tokens, tokens)
def test_the_common_prefix_is_what_a_plain_loop_counts(a, b):
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    assert common_prefix(a, b) == count


def test_the_longest_prefix_wins():
    slots = make_slots([1, 2, 9], [1, 2, 3, 4], [7])
    place = place_prompt(slots, [1, 2, 3, 4, 5], orderly=False)
    assert (place.slot.index, place.keep, place.source) == (1, 4, None)


def test_the_last_token_is_always_evaluated():
    slots = make_slots([1, 2, 3])
    assert place_prompt(slots, [1, 2, 3], orderly=False).keep == 2
    assert place_prompt(slots, [1], orderly=False).keep == 0


def test_a_busy_slot_is_not_taken_but_copied():
    system = list(range(100))
    slots = make_slots([*system, 1, 2], [], busy=[0])
    place = place_prompt(slots, [*system, 5], orderly=False)
    assert (place.slot.index, place.keep, place.source.index) == (1, 100, 0)


def test_a_small_gain_is_not_worth_a_copy():
    system = list(range(MIN_COPY_GAIN - 1))
    slots = make_slots([*system, 1, 2], [], busy=[0])
    place = place_prompt(slots, [*system, 5, 6], orderly=False)
    assert (place.slot.index, place.keep, place.source) == (1, 0, None)


def test_a_long_conversation_is_not_thrown_away_for_a_short_prefix():
    system, talk = list(range(100)), list(range(1000, 1500))
    slots = make_slots([*system, *talk], [])
    place = place_prompt(slots, [*system, 5], orderly=False)
    assert (place.slot.index, place.keep, place.source.index) == (1, 100, 0)


def test_without_a_prefix_the_slot_that_rested_longest_gives_way():
    slots = make_slots([9, 9], [8, 8], [7, 7])
    slots[0].last_used = 5
    assert place_prompt(slots, [1, 2], orderly=False).slot.index == 1


def test_the_lowest_empty_slot_comes_first():
    slots = make_slots([9, 9], [], [])
    assert place_prompt(slots, [1, 2], orderly=False).slot.index == 1


def test_no_slot_is_free_while_all_are_busy():
    assert place_prompt(make_slots([1], busy=[0]), [1, 2], orderly=False) is None


def test_a_deterministic_prompt_takes_only_orderly_cells():
    slots = make_slots([1, 2, 3, 4], orderly=False)
    assert place_prompt(slots, [1, 2, 3, 4, 5], orderly=True).keep == 0
    assert place_prompt(slots, [1, 2, 3, 4, 5], orderly=False).keep == 4


def test_cells_behind_disorderly_ones_are_not_orderly():
    slot = Slot(0)
    slot.place([1, 2], orderly=True)
    slot.place([3], orderly=False)
    slot.place([4], orderly=True)
    assert (slot.orderly, slot.exact) == (2, 4)


def test_cells_that_were_shifted_are_nobodys_prefix():
    slot = Slot(0)
    slot.place(list(range(10)), orderly=True)
    slot.shift(2, 4)
    slot.place([10, 11], orderly=True)
    assert slot.tokens == [0, 1, 6, 7, 8, 9, 10, 11]
    assert (slot.exact, slot.orderly) == (2, 2)


def test_cutting_forgets_what_was_known_of_the_rest():
    slot = Slot(0)
    slot.place(list(range(10)), orderly=True)
    slot.cut(4)
    assert (slot.tokens, slot.exact, slot.orderly) == ([0, 1, 2, 3], 4, 4)


def test_a_recurrent_slot_is_continued_only_as_a_whole():
    slots = make_slots([1, 2, 3])
    assert place_prompt(slots, [1, 2, 3, 4], orderly=False, can_cut=False).keep == 3
    assert place_prompt(slots, [1, 2, 4, 5], orderly=False, can_cut=False).keep == 0
    assert place_prompt(slots, [1, 2, 3], orderly=False, can_cut=False).keep == 0
