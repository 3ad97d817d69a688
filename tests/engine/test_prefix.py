from actorllm.actors.runner.engine.prefix import (
    MIN_COPY_GAIN,
    beside_running,
    oldest,
    place_prompt,
    usable_cells,
)
from actorllm.actors.runner.engine.radix import common_prefix
from actorllm.actors.runner.engine.slots import Slot, cells_of


def make_slots(*contents, busy=(), kind="small"):
    slots = []
    for index, tokens in enumerate(contents):
        slot = Slot(index)
        slot.place(tokens, kind)
        slot.last_used = index
        slot.stream = object() if index in busy else None
        slots.append(slot)
    return slots


def place(slots, prompt, *, kind="", can_cut=True):
    usable = {
        slot: usable_cells(
            common_prefix(slot.tokens, prompt),
            len(slot.tokens),
            slot.reusable(kind),
            len(prompt),
            can_cut=can_cut,
        )
        for slot in slots
    }
    return place_prompt(slots, usable)


def test_the_longest_prefix_wins():
    slots = make_slots([1, 2, 9], [1, 2, 3, 4], [7])
    found = place(slots, [1, 2, 3, 4, 5])
    assert (found.slot.index, found.keep, found.source) == (1, 4, None)


def test_the_last_token_is_always_evaluated():
    slots = make_slots([1, 2, 3])
    assert place(slots, [1, 2, 3]).keep == 2
    assert place(slots, [1]).keep == 0


def test_a_busy_slot_is_not_taken_but_copied():
    system = list(range(100))
    slots = make_slots([*system, 1, 2], [], busy=[0])
    found = place(slots, [*system, 5])
    assert (found.slot.index, found.keep, found.source.index) == (1, 100, 0)


def test_a_free_slot_beside_the_running_ones_is_chosen_and_gets_a_copy():
    chat = list(range(100))
    slots = make_slots([7], [8], [9], chat, busy=[0])
    assert not beside_running(make_slots([7], []), 2)
    assert not beside_running(make_slots([7], [], [], busy=[0, 1])[::2], 1)
    assert [slot.index for slot in beside_running(make_slots([], [], [], busy=[0, 1]), 2)] == [2]
    near = beside_running(slots, 2)
    assert [slot.index for slot in near] == [1]
    usable = {slots[3]: 99}
    found = place_prompt(slots, usable, near=near, movable=99)
    assert (found.slot.index, found.keep, found.source.index) == (1, 99, 3)
    found = place_prompt(slots, usable, near=near, movable=98)
    assert (found.slot.index, found.keep, found.source) == (3, 99, None)


def test_a_small_gain_is_not_worth_a_copy():
    system = list(range(MIN_COPY_GAIN - 1))
    slots = make_slots([*system, 1, 2], [], busy=[0])
    found = place(slots, [*system, 5, 6])
    assert (found.slot.index, found.keep, found.source) == (1, 0, None)


def test_a_long_conversation_is_not_thrown_away_for_a_short_prefix():
    system, talk = list(range(100)), list(range(1000, 1500))
    slots = make_slots([*system, *talk], [])
    found = place(slots, [*system, 5])
    assert (found.slot.index, found.keep, found.source.index) == (1, 100, 0)


def test_without_a_prefix_the_slot_that_rested_longest_gives_way():
    slots = make_slots([9, 9], [8, 8], [7, 7])
    slots[0].last_used = 5
    assert place(slots, [1, 2]).slot.index == 1


def test_the_lowest_empty_slot_comes_first():
    slots = make_slots([9, 9], [], [])
    assert place(slots, [1, 2]).slot.index == 1


def test_no_slot_is_free_while_all_are_busy():
    assert place(make_slots([1], busy=[0]), [1, 2]) is None


def test_a_deterministic_prompt_takes_only_orderly_cells():
    slots = make_slots([1, 2, 3, 4], kind="")
    assert place(slots, [1, 2, 3, 4, 5], kind="small").keep == 0
    assert place(slots, [1, 2, 3, 4, 5]).keep == 4


def test_cells_of_another_kind_are_not_taken():
    (slot,) = make_slots([1, 2, 3])
    slot.place([4, 5], "large")
    assert (slot.orderly, slot.reusable("small"), slot.reusable("large")) == (3, 3, 0)
    slot.cut(0)
    slot.place([1, 2], "large")
    assert (slot.reusable("small"), slot.reusable("large"), slot.reusable("")) == (0, 2, 2)


def test_cells_behind_disorderly_ones_are_not_orderly():
    slot = Slot(0)
    slot.place([1, 2], "small")
    slot.place([3])
    slot.place([4], "small")
    assert (slot.orderly, slot.exact) == (2, 4)


def test_cells_that_were_shifted_are_nobodys_prefix():
    slot = Slot(0)
    slot.place(list(range(10)), "small")
    slot.shift(2, 4)
    slot.place([10, 11], "small")
    assert slot.tokens == [0, 1, 6, 7, 8, 9, 10, 11]
    assert (slot.exact, slot.orderly) == (2, 2)


def test_cutting_forgets_what_was_known_of_the_rest():
    slot = Slot(0)
    slot.place(list(range(10)), "small")
    slot.cut(4)
    assert (slot.tokens, slot.exact, slot.orderly) == ([0, 1, 2, 3], 4, 4)


def test_a_recurrent_slot_is_continued_only_as_a_whole():
    slots = make_slots([1, 2, 3])
    assert place(slots, [1, 2, 3, 4], can_cut=False).keep == 3
    assert place(slots, [1, 2, 4, 5], can_cut=False).keep == 0
    assert place(slots, [1, 2, 3], can_cut=False).keep == 0


def test_the_oldest_free_slot_is_chosen_and_empty_ones_come_first():
    slots = make_slots([1], [2], [], busy=[0])
    assert oldest(slots).index == 2
    assert oldest(slots[:2]).index == 1


def test_a_slot_that_copies_in_a_shared_cache_has_the_same_cells():
    first, second, third = make_slots([1, 2, 3, 4], [], [])
    second.copy(first, 3, shared=True)
    third.copy(first, 2, shared=False)
    assert (second.tokens, second.exact, second.orderly) == ([1, 2, 3], 3, 3)
    assert second.cells == first.cells[:3]
    assert not set(third.cells) & set(first.cells)
    assert cells_of((first, second, third), 0) == 6
    assert cells_of((first, second, third), 100) == 9


def test_what_is_restored_is_exact():
    (slot,) = make_slots([1, 2, 3])
    slot.restore([5, 6, 7, 8], 2, "small")
    assert (slot.tokens, slot.exact, slot.orderly, len(slot.cells)) == ([5, 6, 7, 8], 4, 2, 4)
