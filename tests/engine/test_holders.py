"""Who begins like a prompt, and how much of it can be used."""

from types import SimpleNamespace

import pytest

from actorllm.actors.runner.engine.holders import Holders
from actorllm.actors.runner.engine.slots import Slot
from actorllm.actors.runner.engine.store import Saved


def make_holders(*, can_cut=True, can_cut_saved=True):
    return Holders(SimpleNamespace(can_cut=can_cut, can_cut_saved=can_cut_saved))


def slot_with(tokens, kind=""):
    slot = Slot(0)
    slot.place(tokens, kind)
    return slot


def saved_with(tokens, *, orderly=0, kind=""):
    return Saved(tuple(tokens), orderly, 100, 1.0, kind=kind)


def test_a_prompt_uses_what_it_shares_but_computes_its_last_token():
    holders = make_holders()
    slot, saved = slot_with(range(10)), saved_with([*range(5), 99])
    holders.note(slot)
    holders.note(saved)
    assert holders.usable(range(10), "") == {slot: 9, saved: 5}
    assert holders.usable([7, 8], "") == {}


def test_orderly_cells_of_a_kind_are_for_those_who_need_it():
    holders = make_holders()
    slot, saved = slot_with(range(10), "small"), saved_with(range(10), orderly=8, kind="large")
    holders.note(slot)
    holders.note(saved)
    assert holders.usable(range(20), "small") == {slot: 10}
    assert holders.usable(range(20), "large") == {saved: 8}


def test_what_cannot_be_cut_is_used_as_a_whole():
    holders = make_holders(can_cut=False, can_cut_saved=False)
    whole, longer = saved_with(range(5)), saved_with(range(10))
    holders.note(whole)
    holders.note(longer)
    assert holders.usable(range(8), "") == {whole: 5}


def test_what_is_forgotten_is_not_found():
    holders = make_holders()
    slot = slot_with(range(10))
    holders.note(slot)
    holders.forget(slot)
    assert holders.usable(range(10), "") == {}


@pytest.mark.parametrize(
    ("other", "keep", "spare"),
    [([], 0, 10), (range(6), 0, 4), (range(6), 8, 2), (range(20), 0, 0)],
)
def test_what_nobody_else_has_would_be_lost(other, keep, spare):
    holders = make_holders()
    slot = slot_with(range(10))
    holders.note(slot)
    holders.note(saved_with(other))
    assert holders.spare(slot, keep) == spare
    assert holders.spare(slot, keep, beside=(Slot,)) == 10 - keep


def test_a_longer_state_that_cannot_be_cut_has_nothing_for_a_shorter_prompt():
    holders = make_holders(can_cut_saved=False)
    slot = slot_with(range(10))
    holders.note(slot)
    holders.note(saved_with(range(20)))
    assert holders.spare(slot, 0) == 10
    holders.note(saved_with(range(10)))
    assert holders.spare(slot, 0) == 0
