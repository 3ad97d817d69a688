"""The stepper's behaviour, shown on the fake engine: no model, no clock but a counter."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorllm.actors.runner.engine import passes
from actorllm.actors.runner.engine.batching import WIDE_GAP
from actorllm.actors.runner.engine.fake import FAKE_EOS, FakeEngine, babble
from actorllm.actors.runner.engine.streams import OUTPUT_BOUND
from actorllm.actors.runner.engine.types import EngineError, EngineSettings, Sampling, Work


class Clock:
    """Time that passes as the fake engine says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Host:
    def __init__(self, script=babble, **changes) -> None:
        options = {"num_ctx": 256, "slots": 3, "num_batch": 64, **changes}
        self.clock = Clock()
        self.engine = FakeEngine(
            EngineSettings(model_path="fake", **options), clock=self.clock, script=script
        )
        self.tokens, self.text, self.finish = {}, {}, {}

    def step(self):
        deltas = self.engine.step()
        self.clock.now += self.engine.step_seconds
        self.note(deltas)
        return deltas

    def note(self, deltas):
        for delta in deltas:
            assert delta.id not in self.finish, "nothing follows a finish"
            self.tokens[delta.id] = self.tokens.get(delta.id, ()) + delta.tokens
            self.text[delta.id] = self.text.get(delta.id, "") + delta.text
            if delta.finish is not None:
                self.finish[delta.id] = delta.finish

    def run(self, *works):
        for work in works:
            self.engine.submit(work)
        while self.engine.runnable:
            self.step()

    def phases(self):
        return [slot.phase for slot in self.engine.stats().slots]


def endless(work, index):
    return ord("a") + (work.id + index) % 26


def answer(work):
    tokens = []
    while (token := babble(work, len(tokens))) != FAKE_EOS:
        tokens.append(token)
    return tuple(tokens)


def make_work(number, prompt=b"hello", **changes):
    return Work(id=number, prompt=tuple(prompt), **changes)


prompts = st.binary(min_size=1, max_size=120)


layouts = st.sampled_from(
    [
        {},
        {"unified": True},
        {"unified": True, "cells": 256, "saved_bytes": 2000, "slots": 5},
        {"unordered": True, "saved_bytes": 2000, "slots": 7},
    ]
)


@settings(max_examples=60)
@given(st.lists(prompts, min_size=1, max_size=8), st.booleans(), layouts, st.data())
def test_every_work_gets_its_own_answer_whatever_runs_beside_it(texts, deterministic, layout, data):
    host = Host(**layout)
    works = [
        make_work(i, text, sampling=Sampling(seed=i % 3), deterministic=deterministic)
        for i, text in enumerate(texts)
    ]
    for work in works:
        host.engine.submit(work)
        for _ in range(data.draw(st.integers(0, 5))):
            host.step()
    while host.engine.runnable:
        host.step()
    for work in works:
        assert host.tokens[work.id] == answer(work)
        assert host.finish[work.id].reason == "stop"
        assert host.finish[work.id].generated_tokens == len(answer(work)) + 1


@given(prompts, st.integers(0, 100))
def test_a_resumed_work_goes_on_where_it_was(prompt, at):
    whole = answer(make_work(1, prompt))
    cut = min(at, len(whole))
    host = Host()
    host.run(make_work(1, prompt, resume=whole[:cut]))
    assert host.tokens.get(1, ()) == whole[cut:]
    assert host.text.get(1, "") == bytes(whole[cut:]).decode()
    assert host.finish[1].generated_tokens == len(whole) + 1


@given(st.data())
def test_held_back_text_of_a_resumed_work_comes_out_once(data):
    text = data.draw(st.text("ab€\n", min_size=1, max_size=30))
    stops = ("\n\n", "ab")

    def script(_work, index):
        encoded = text.encode()
        return encoded[index] if index < len(encoded) else FAKE_EOS

    first = Host(script)
    first.engine.submit(make_work(1, stops=stops))
    for _ in range(data.draw(st.integers(1, 30))):
        first.step()
    if 1 in first.finish:
        return
    second = Host(script)
    second.run(make_work(1, stops=stops, resume=first.tokens.get(1, ())))
    alone = Host(script)
    alone.run(make_work(1, stops=stops))
    assert first.text.get(1, "") + second.text.get(1, "") == alone.text[1]


def test_works_beyond_the_slots_wait_in_order():
    host = Host(endless, slots=2)
    for number in range(4):
        host.engine.submit(make_work(number, max_tokens=20))
    for _ in range(6):
        host.step()
    assert host.engine.stats().queued == 2
    while host.engine.runnable:
        host.step()
    assert sorted(host.finish) == [0, 1, 2, 3]
    assert host.finish[3].queued_seconds >= host.finish[2].queued_seconds > 0


def test_a_long_prompt_never_stops_running_streams_for_more_than_a_chunk():
    host = Host(endless, num_ctx=4096)
    host.engine.submit(make_work(1, max_tokens=500))
    host.step()
    host.step()
    host.engine.submit(make_work(2, bytes(3000), max_tokens=1))
    gaps, gap = [], 0
    while 2 not in host.finish:
        deltas = host.step()
        gap = 0 if any(delta.id == 1 for delta in deltas) else gap + 1
        gaps.append(gap)
    assert max(gaps) <= 1
    assert 1 not in host.finish


def test_a_burst_with_one_beginning_pays_for_it_once():
    host = Host(num_ctx=1024)
    system = bytes(i % 251 for i in range(400))
    host.run(*(make_work(i, system + bytes([i] * 4), max_tokens=5) for i in range(3)))
    assert [host.finish[i].cached_tokens for i in range(3)] == [0, 400, 400]
    assert host.engine.stats().prompt_tokens == 404 + 4 + 4


def test_the_next_turn_of_a_conversation_evaluates_only_what_is_new():
    host = Host()
    host.run(make_work(1, b"question"))
    said = bytes(host.tokens[1])
    host.run(make_work(2, b"question" + said + b"and then?"))
    assert host.finish[2].cached_tokens == len(b"question" + said)


def test_a_deterministic_work_does_not_use_cells_of_big_batches():
    host = Host()
    prompt = bytes(range(100, 200))
    host.run(make_work(1, prompt, max_tokens=1))
    host.run(make_work(2, prompt, max_tokens=1, deterministic=True))
    host.run(make_work(3, prompt, max_tokens=1, deterministic=True))
    assert [host.finish[i].cached_tokens for i in (1, 2, 3)] == [0, 0, 99]
    assert [host.finish[i].deterministic for i in (1, 2, 3)] == [False, True, True]


def test_deterministic_settings_hold_for_every_work():
    host = Host(deterministic=True)
    host.run(make_work(1, max_tokens=3))
    assert host.finish[1].deterministic


def test_the_number_of_tokens_is_bounded():
    host = Host(endless)
    host.run(make_work(1, max_tokens=7))
    assert len(host.tokens[1]) == 7
    assert host.finish[1].reason == "length"


def test_without_a_bound_ten_windows_are_generated():
    host = Host(endless, num_ctx=32)
    host.run(make_work(1))
    assert host.finish[1].generated_tokens == 320


def test_a_full_window_forgets_half_but_keeps_the_begin():
    host = Host(endless, num_ctx=32)
    host.run(make_work(1, b"keepthis and this", num_keep=8, max_tokens=60))
    assert host.finish[1].reason == "length"
    assert host.finish[1].discarded_tokens > 0
    assert len(host.tokens[1]) == 60
    assert host.engine._backend.tokens(0)[:8] == list(b"keepthis")


def test_the_whole_prompt_is_kept_if_asked_for():
    host = Host(endless, num_ctx=32)
    host.run(make_work(1, b"keepthis and this", num_keep=-1, max_tokens=60))
    assert host.engine._backend.tokens(0)[:17] == list(b"keepthis and this")


def test_without_shift_a_full_window_ends_the_work():
    host = Host(endless, num_ctx=32)
    host.run(make_work(1, b"12345678", shift=False))
    assert host.finish[1].reason == "length"
    assert host.finish[1].generated_tokens == 32 - 8
    assert host.finish[1].discarded_tokens == 0


@given(st.integers(0, 100))
def test_a_work_that_was_shifted_resumes_with_the_same_cells(cut):
    whole = Host(endless, num_ctx=32)
    whole.run(make_work(1, max_tokens=101))
    host = Host(endless, num_ctx=32)
    host.run(make_work(1, max_tokens=101, resume=whole.tokens[1][:cut]))
    assert whole.tokens[1][:cut] + host.tokens[1] == whole.tokens[1]
    assert host.engine._backend.tokens(0) == whole.engine._backend.tokens(0)
    assert host.finish[1].discarded_tokens == whole.finish[1].discarded_tokens


def test_cells_after_a_shift_are_not_taken_for_a_prefix():
    host = Host(endless, num_ctx=32, slots=1)
    host.run(make_work(1, b"12345678", num_keep=2, max_tokens=60))
    cells = host.engine._backend.tokens(0)
    host.run(make_work(2, bytes(cells), max_tokens=1))
    assert host.finish[2].cached_tokens == 2


@pytest.mark.parametrize(
    ("prompt", "text"),
    [(b"", "the prompt is empty"), (bytes(256), "the prompt has 256 tokens")],
)
def test_a_prompt_that_cannot_be_evaluated_ends_with_an_error(prompt, text):
    host = Host()
    host.run(make_work(1, prompt))
    assert host.finish[1].reason == "error"
    assert host.finish[1].error.startswith(text)


def test_the_longest_prompt_gets_one_token_at_least():
    host = Host(endless)
    host.run(make_work(1, bytes(255), shift=False))
    assert host.finish[1].reason == "length"
    assert host.finish[1].generated_tokens == 1


def test_sampling_options_must_be_finite():
    host = Host()
    host.run(make_work(1, sampling=Sampling(frequency_penalty=float("inf"))))
    assert host.finish[1].error == "a sampling option is not a finite number"


def test_tokens_outside_the_vocabulary_are_refused():
    host = Host()
    host.run(Work(id=1, prompt=(1, 258)), Work(id=2, prompt=(1,), resume=(-1,)))
    assert {host.finish[i].reason for i in (1, 2)} == {"error"}


def test_a_recurrent_model_starts_anew_where_a_prefix_is_not_the_whole():
    host = Host(endless, slots=1)
    backend = host.engine._backend
    backend.can_cut = backend.can_cut_saved = backend.can_shift = False
    cut = backend.cut
    backend.cut = lambda slot, length: length == 0 and cut(slot, length)
    host.run(make_work(1, b"hello", max_tokens=3))
    host.run(make_work(2, b"hello" + bytes(host.tokens[1][:2]) + b" you", max_tokens=3))
    host.run(make_work(3, b"hello", max_tokens=3))
    assert [host.finish[i].cached_tokens for i in (1, 2, 3)] == [0, 7, 0]
    assert len(backend.tokens(0)) == 7


def test_a_pass_that_fails_ends_its_streams_only():
    host = Host(endless)
    host.engine.submit(make_work(1, max_tokens=5))
    host.step()
    decode = host.engine._backend.decode

    def fail(plan):
        if plan.kind == "prefill":
            raise EngineError("the KV cache is full")
        decode(plan)

    host.engine._backend.decode = fail
    host.run(make_work(2))
    assert host.finish[2].error == "the KV cache is full"
    assert host.finish[1].reason == "length"


def test_one_id_is_one_work():
    host = Host()
    host.engine.submit(make_work(1))
    with pytest.raises(ValueError, match="1 is there already"):
        host.engine.submit(make_work(1))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_a_cancelled_work_frees_its_slot_at_every_stage(steps):
    host = Host(endless, slots=1)
    for number, count in enumerate(steps):
        host.engine.submit(make_work(number, bytes([number]) * 150))
        for _ in range(count):
            host.step()
        host.engine.cancel(number)
        host.step()
        assert host.finish[number].reason == "cancelled"
    host.run(make_work(99, max_tokens=3))
    assert host.finish[99].reason == "length"


def test_a_queued_work_can_be_cancelled():
    host = Host(endless, slots=1)
    host.engine.submit(make_work(1, max_tokens=5))
    host.step()
    host.engine.submit(make_work(2))
    host.engine.cancel(2)
    while host.engine.runnable:
        host.step()
    assert host.finish[2].reason == "cancelled"
    assert host.finish[1].reason == "length"


def test_cancelling_what_is_not_there_does_nothing():
    host = Host()
    host.engine.cancel(5)
    assert host.step() == []


def test_a_stream_whose_reader_stopped_is_parked_and_the_others_go_on():
    host = Host(lambda work, _index: 97 if work.id == 1 else endless(work, 0), num_ctx=16384)
    host.engine.submit(make_work(1, max_tokens=OUTPUT_BOUND + 100))
    host.step()
    stream = host.engine._stepper._streams[1]
    stream.backlog = OUTPUT_BOUND - 3
    for _ in range(10):
        host.step()
    assert host.phases()[0] == "parked"
    assert not host.engine.runnable
    host.engine.submit(make_work(2, max_tokens=5))
    while host.engine.runnable:
        host.step()
    assert 2 in host.finish
    assert 1 not in host.finish
    host.engine.drained(1, OUTPUT_BOUND)
    assert host.engine.runnable
    assert host.phases()[0] == "decode"


def test_a_parked_stream_can_be_cancelled():
    host = Host(endless)
    host.engine.submit(make_work(1))
    host.step()
    host.engine._stepper._streams[1].backlog = OUTPUT_BOUND
    host.engine.cancel(1)
    host.step()
    assert host.finish[1].reason == "cancelled"


def test_closing_ends_all_streams():
    host = Host(endless, slots=1)
    host.engine.submit(make_work(1))
    host.engine.submit(make_work(2))
    host.step()
    host.note(host.engine.close())
    assert {host.finish[i].reason for i in (1, 2)} == {"cancelled"}


def test_times_are_those_of_the_hosts_clock():
    host = Host(endless)
    host.run(make_work(1, max_tokens=11))
    # The first token is there before the host lets the prompt's pass take its time.
    assert host.finish[1].generation_seconds == pytest.approx(10 * 0.0101, rel=0.1)


def test_logprobs_come_with_their_tokens():
    host = Host(endless)
    host.engine.submit(make_work(1, max_tokens=3, sampling=Sampling(logprobs=True)))
    deltas = [delta for _ in range(5) for delta in host.step()]
    for delta in deltas:
        assert [entry.chosen.token for entry in delta.logprobs] == list(delta.tokens)


def test_a_fake_embeds_only_if_it_was_loaded_for_it():
    fake = FakeEngine(EngineSettings(model_path="", embedding=True), clock=Clock())
    (vector,) = fake.embed([[1, 2, 3]])
    assert sum(value * value for value in vector) == pytest.approx(1)
    with pytest.raises(EngineError, match="does not support embeddings"):
        Host().engine.embed([[1]])


def test_an_aborted_load_is_an_error():
    with pytest.raises(EngineError, match="aborted"):
        Host().engine.load(lambda part: part < 0.5)


def test_the_fake_needs_no_llama_cpp():
    code = (
        "import sys\n"
        "from actorllm.actors.runner.engine import fake, ladder, types\n"
        "sys.exit('llama_cpp' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# One pool of cells for all slots


def make_shared(script=endless, **changes):
    return Host(script, unified=True, **{"num_ctx": 512, "slots": 8, **changes})


def test_a_burst_with_one_beginning_computes_it_once_and_the_rest_together():
    host = make_shared(num_batch=512)
    system = bytes(range(200))
    host.run(*(make_work(n, system + bytes([n] * 5), max_tokens=4) for n in range(8)))
    assert [host.finish[n].cached_tokens for n in range(8)] == [0, *[200] * 7]
    stats = host.engine.stats()
    assert stats.prompt_tokens == 205 + 7 * 5
    assert stats.cells_used == 200 + 8 * (5 + 3)
    assert stats.passes < 12


def test_streams_get_a_token_in_every_pass_while_a_long_prompt_is_evaluated():
    host = make_shared(num_batch=64)
    host.engine.submit(make_work(1, max_tokens=50))
    while len(host.tokens.get(1, ())) < 2:
        host.step()
    host.engine.submit(make_work(2, bytes(400), max_tokens=1))
    while 2 not in host.finish:
        before = len(host.tokens[1])
        host.step()
        assert len(host.tokens[1]) == before + 1


def test_a_long_chat_runs_beside_short_ones_in_a_common_budget():
    host = make_shared(cells=600)
    host.run(
        make_work(0, bytes(400), max_tokens=60),
        *(make_work(n, bytes([n] * 20), max_tokens=10) for n in range(1, 8)),
    )
    assert {finish.reason for finish in host.finish.values()} == {"length"}
    assert host.finish[0].generated_tokens == 60


def test_streams_beyond_the_budget_go_back_and_on_later():
    host = make_shared(babble, num_ctx=128, cells=256, saved_bytes=100_000)
    works = [make_work(n, bytes([n] * 90)) for n in range(8)]
    host.run(*works)
    for work in works:
        assert host.tokens[work.id] == answer(work)
        assert host.finish[work.id].cached_tokens == 0


def burst_in_a_tight_pool(seed, lengths):
    chance = random.Random(seed)
    host = make_shared(babble, num_ctx=256, cells=256, saved_bytes=2000, slots=5, num_batch=64)
    texts = [
        bytes(chance.choice((0, 0, 0, 0, 1)) for _ in range(chance.choice(lengths)))
        for _ in range(chance.randint(1, 8))
    ]
    works = [make_work(n, text, sampling=Sampling(seed=n % 3)) for n, text in enumerate(texts)]
    for work in works:
        host.engine.submit(work)
        for _ in range(chance.randint(0, 5)):
            host.step()
    for _ in range(3000):
        host.step()
    assert not host.engine.runnable
    assert all(host.tokens[work.id] == answer(work) for work in works)


@pytest.mark.parametrize("seed", [38, 90, 111])
def test_who_comes_back_from_memory_needs_cells_like_everybody(seed):
    """A stream was admitted for a prefix in memory, found no cells for it, and went back for ever."""
    burst_in_a_tight_pool(seed, (1, 5, 10, 60, 100))


def test_who_has_a_single_token_left_to_read_is_in_a_pass_once():
    """It counted as one that generates, too."""
    burst_in_a_tight_pool(659, (1, 5, 10, 33, 60, 100))


def test_a_window_that_shifts_leaves_shared_cells_to_the_others():
    host = make_shared(num_ctx=64, slots=4, num_batch=16)
    prompt = bytes(range(50))
    host.run(*(make_work(n, prompt + bytes([n]), max_tokens=90) for n in range(4)))
    assert all(host.finish[n].discarded_tokens for n in range(4))
    assert all(len(host.tokens[n]) == 90 for n in range(4))


def test_nothing_is_deterministic_in_a_shared_pool():
    host = make_shared()
    host.run(make_work(1, max_tokens=3, deterministic=True))
    assert not host.finish[1].deterministic


# Windows of their own, computed as is fastest


def make_unordered(script=endless, **changes):
    return Host(script, unordered=True, **{"num_ctx": 512, "slots": 8, **changes})


def test_a_burst_computes_its_beginning_once_where_each_slot_has_its_window():
    host = make_unordered(num_batch=512)
    system = bytes(range(200))
    host.run(*(make_work(n, system + bytes([n] * 5), max_tokens=4) for n in range(8)))
    assert [host.finish[n].cached_tokens for n in range(8)] == [0, *[200] * 7]
    stats = host.engine.stats()
    assert stats.prompt_tokens == 205 + 7 * 5
    assert stats.cells_used == 8 * (205 + 3)
    assert stats.passes < 12


def test_streams_and_long_prompts_take_turns():
    host = make_unordered(num_batch=64)
    host.engine.submit(make_work(1, max_tokens=50))
    while len(host.tokens.get(1, ())) < 2:
        host.step()
    host.engine.submit(make_work(2, bytes(400), max_tokens=1))
    silent = most = 0
    while 2 not in host.finish:
        before = len(host.tokens[1])
        host.step()
        silent = 0 if len(host.tokens[1]) > before else silent + 1
        most = max(most, silent)
    assert most == 1


def burst(count):
    """Start so many streams at once; give the host at the step when all have a token."""
    host = make_unordered(slots=count, num_batch=64)
    for n in range(count):
        host.engine.submit(make_work(n, bytes([n] * 40), max_tokens=50))
    while len(host.tokens) < count:
        host.step()
    return host


def test_the_first_streams_of_a_burst_wait_for_the_prompts_of_the_others():
    assert [len(tokens) for tokens in burst(4).tokens.values()] == [1] * 4


def test_they_do_not_wait_long(monkeypatch):
    monkeypatch.setattr(passes, "HOLD_SECONDS", 0.001)
    host = burst(4)
    assert len(host.tokens[0]) > len(host.tokens[3]) == 1


@pytest.mark.parametrize(("length", "waits"), [(100, True), (230, False)])
def test_a_first_stream_waits_for_a_short_prompt_and_for_no_long_one(length, waits, monkeypatch):
    monkeypatch.setattr(passes, "HOLD_SECONDS", 0.05)
    host = make_unordered(num_batch=64)
    backend, decode = host.engine._backend, host.engine._backend.decode

    def take_time(plan):
        decode(plan)
        host.clock.now += backend.cost

    monkeypatch.setattr(backend, "decode", take_time)
    host.engine.submit(make_work(1, b"hello" * 8, max_tokens=50))
    while not host.tokens.get(1):
        host.step()
    host.engine.submit(make_work(2, bytes([7] * length), max_tokens=50))
    host.step()
    host.step()
    assert (len(host.tokens[1]) == 1) == waits


def test_a_prompt_goes_beside_the_streams_that_run_and_takes_its_prefix_along():
    host = make_unordered(num_ctx=128)
    chat = bytes(range(60))
    host.run(*(make_work(n, bytes([n] * 20) if n else chat, max_tokens=2) for n in range(8)))
    host.engine.submit(make_work(20, bytes([7] * 20), max_tokens=60))
    while not host.tokens.get(20):
        host.step()
    slots = {slot.work: slot.index for slot in host.engine.stats().slots}
    host.engine.submit(make_work(21, chat + b"more", max_tokens=2))
    while 21 not in host.tokens:
        host.step()
    slots = {slot.work: slot.index for slot in host.engine.stats().slots}
    assert abs(slots[21] - slots[20]) <= WIDE_GAP
    while host.engine.runnable:
        host.step()
    assert host.finish[21].cached_tokens >= 60


# Prefixes that were put aside


def make_saving(**changes):
    return Host(endless, **{"num_ctx": 512, "slots": 1, "saved_bytes": 4000, **changes})


@pytest.mark.parametrize("unified", [False, True])
def test_what_was_overwritten_comes_back_from_memory(unified):
    host = make_saving(unified=unified)
    first, second = bytes([1] * 300), bytes([2] * 300)
    for number, prompt in enumerate((first, second, first, second)):
        host.run(make_work(number, prompt, max_tokens=3))
    assert [host.finish[n].cached_tokens for n in range(4)] == [0, 0, 299, 299]
    stats = host.engine.stats()
    assert stats.restored == 2
    assert 0 < stats.saved_bytes <= 4000


def test_what_is_put_aside_stays_within_its_budget():
    host = make_saving(saved_bytes=2500)
    for number in range(6):
        host.run(make_work(number, bytes([number] * 300), max_tokens=3))
        assert host.engine.stats().saved_bytes <= 2500
    host.run(make_work(10, bytes([4] * 300), max_tokens=3))
    host.run(make_work(11, bytes([0] * 300), max_tokens=3))
    assert host.finish[10].cached_tokens == 299
    assert host.finish[11].cached_tokens == 0


def test_a_restored_prefix_is_as_orderly_as_it_was():
    host = make_saving()
    for number, prompt in enumerate((bytes([1] * 300), bytes([2] * 300), bytes([1] * 300))):
        host.run(make_work(number, prompt, max_tokens=3, deterministic=True))
    assert host.finish[2].cached_tokens == 299
    assert host.finish[2].deterministic


def test_a_state_that_does_not_fit_is_computed_again():
    host = make_saving()
    host.run(make_work(1, bytes([1] * 300), max_tokens=3))
    host.run(make_work(2, bytes([2] * 300), max_tokens=3))
    host.engine._backend.restore = lambda _slot, _data: False
    host.run(make_work(3, bytes([1] * 300), max_tokens=3))
    assert host.finish[3].cached_tokens == 0
    assert len(host.tokens[3]) == 3


def test_a_state_that_cannot_be_cut_is_kept_from_the_end_of_its_prompt():
    host = make_saving()
    backend = host.engine._backend
    backend.can_cut = backend.can_cut_saved = backend.can_shift = False
    cut = backend.cut
    backend.cut = lambda slot, length: length == 0 and cut(slot, length)
    prompt = bytes([1] * 100)
    host.run(make_work(1, prompt, max_tokens=3))
    host.run(make_work(2, prompt, max_tokens=3))
    host.run(make_work(3, prompt + b"and more", max_tokens=3))
    assert [host.finish[n].cached_tokens for n in (1, 2, 3)] == [0, 99, 99]
