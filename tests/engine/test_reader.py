"""A real model reads long prompts apart, while a stream goes on."""

import pytest

from actorllm.actors.runner.engine import apart
from actorllm.actors.runner.engine.context import Context
from actorllm.actors.runner.engine.reader import Reader
from actorllm.actors.runner.engine.types import Sampling, Structure, Work

GREEDY = Sampling(temperature=0)
ENDLESS = Sampling(
    temperature=1.2, top_k=0, top_p=1, structure=Structure("gbnf", "root ::= [^#] root")
)
STREAM = 100


@pytest.fixture(params=[{}, {"flash_attention": "on"}], ids=["plain", "flash"])
def how(request, monkeypatch):
    """The settings of an engine to which any prompt is long."""
    monkeypatch.setattr(apart, "LONG_SECONDS", 1e-6)
    return {"num_ctx": 1024, "slots": 4, "unordered": True, **request.param}


@pytest.fixture
def host(how, make_host, seedling):
    """An engine that has answered once."""
    return answered(make_host(seedling, **how))


def answered(host):
    host.run(Work(id=0, prompt=host.chat("Hello! " * 8), sampling=GREEDY))
    return host


class Calls(list):
    def __init__(self) -> None:
        self.ends = []


@pytest.fixture
def read(monkeypatch):
    """What is read apart: the slot, the position and the number of tokens; `ends` is what came of it."""
    calls = Calls()
    original = Context.read_apart

    def read_apart(self, slot, tokens, position, pause):
        calls.append((slot, position, len(tokens)))
        whole = original(self, slot, tokens, position, pause)
        calls.ends.append(whole)
        return whole

    monkeypatch.setattr(Context, "read_apart", read_apart)
    return calls


def stream(host):
    """Begin a stream that does not end by itself."""
    host.engine.submit(Work(id=STREAM, prompt=host.chat("Hello!"), sampling=ENDLESS, shift=True))
    while host.deltas.get(timeout=60).id != STREAM:
        pass


def long_prompt(host):
    return host.chat("What is the capital of Japan? " * 60)


def test_an_answer_is_the_same_as_that_of_a_prompt_read_in_passes(
    host, how, read, make_host, seedling
):
    work = Work(id=1, prompt=long_prompt(host), sampling=GREEDY, max_tokens=12)
    stream(host)
    beside = host.run(work)[1]
    assert [call[1:] for call in read] == [(0, len(work.prompt) - 1)]
    assert read.ends == [True]
    alone = make_host(seedling, **how).run(work)[1]
    assert alone[:2] == beside[:2]
    assert len(read) == 1


def test_what_is_known_of_a_prompt_is_not_read_again(host, how, read, make_host, seedling):
    prompt = long_prompt(host)
    half = len(prompt) // 2
    other = (*prompt[:half], *host.chat("count to 7"), *prompt[half:])
    work = Work(id=2, prompt=other, sampling=GREEDY, max_tokens=12)
    host.run(Work(id=1, prompt=prompt, sampling=GREEDY, max_tokens=1))
    stream(host)
    beside = host.run(work)[2]
    [(slot, begin, count)] = read
    assert read.ends == [True]
    assert slot > 0
    assert half <= begin < half + 8
    assert begin + count == len(other) - 1 == beside[2].cached_tokens + count
    assert make_host(seedling, **how).run(work)[2][:2] == beside[:2]


def test_a_work_that_is_cancelled_while_it_is_read_leaves_the_engine_sound(host, read):
    prompt = long_prompt(host)
    stream(host)
    for number in range(1, 6):
        host.engine.submit(Work(id=number, prompt=(*prompt[number:], 5), sampling=GREEDY))
        host.engine.cancel(number)
        assert host.wait({number})[number][2].reason == "cancelled"
    answer = host.run(Work(id=9, prompt=host.chat("count to 7"), sampling=GREEDY))[9]
    assert answer[1] == "1 2 3 4 5 6 7"


def test_the_number_of_threads_is_asked_for_anew_before_each_batch(host, read, monkeypatch):
    counts = iter([1, 2, 1, 2, 1, 2, 1, 2])
    used = []
    original = Reader.read

    def read_with(self, *args, threads, **kwargs):
        def asked():
            used.append(next(counts))
            return used[-1]

        return original(self, *args, threads=asked, **kwargs)

    monkeypatch.setattr(Reader, "read", read_with)
    prompt = long_prompt(host)
    stream(host)
    assert host.run(Work(id=1, prompt=prompt, sampling=GREEDY, max_tokens=3))[1][1]
    assert read.ends == [True]
    assert len(used) == -(-(len(prompt) - 1) // 128) > 1


def test_an_engine_is_closed_while_it_reads(host, read):
    stream(host)
    host.engine.submit(Work(id=1, prompt=long_prompt(host)))
    while not read:
        host.deltas.get(timeout=60)
    host.engine.close()
    assert host.wait({STREAM})[STREAM][2].reason == "cancelled"
    assert host.stopped.get(timeout=60) is None


def test_an_error_in_a_pause_gets_through_llama_cpp(host, read, monkeypatch):
    def pause(self, done, seconds):
        raise ValueError("so it goes")

    monkeypatch.setattr(apart.Apart, "_pause", pause)
    stream(host)
    host.engine.submit(Work(id=1, prompt=long_prompt(host)))
    assert host.wait({1})[1][2].error == "the engine broke down"
    assert isinstance(host.stopped.get(timeout=60), ValueError)
    assert read


def test_where_a_context_cannot_be_had_prompts_are_read_in_passes(
    make_host, seedling, monkeypatch, read
):
    monkeypatch.setattr(apart, "LONG_SECONDS", 1e-6)
    monkeypatch.setattr("actorllm.actors.runner.engine.context._READER_SHARE", 0.0)
    host = answered(make_host(seedling, num_ctx=1024, slots=4, unordered=True))
    stream(host)
    assert host.run(Work(id=1, prompt=long_prompt(host), sampling=GREEDY, max_tokens=4))[1][1]
    assert not read
