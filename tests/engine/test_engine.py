import threading

import attrs
import pytest

from actorllm.actors.runner.engine.engine import Engine
from actorllm.actors.runner.engine.ladder import RUNGS, at_rung
from actorllm.actors.runner.engine.types import (
    EngineError,
    EngineSettings,
    Sampling,
    Structure,
    Work,
)

GREEDY = Sampling(temperature=0)
ENDLESS = Sampling(
    temperature=1.2, top_k=0, top_p=1, structure=Structure("gbnf", "root ::= [^#] root")
)


def test_the_model_says_what_it_is(host):
    loaded = host.loaded
    assert (loaded.architecture, loaded.n_vocab, loaded.n_ctx, loaded.n_embd) == (
        "llama",
        2048,
        1024,
        256,
    )
    assert loaded.can_shift
    assert loaded.has_chat_template
    assert not loaded.can_embed
    assert loaded.deterministic
    assert loaded.flash_attention == "on"


@pytest.mark.parametrize(
    ("question", "answer", "prompt_tokens", "generated"),
    [
        ("What is the capital of Japan?", "The capital of Japan is Tokyo.", 19, 10),
        ("Hello!", "Hello! How can I help you today?", 14, 10),
        ("count to 7", "1 2 3 4 5 6 7", 16, 14),
    ],
)
def test_greedy_answers_and_counts_are_those_of_the_reference(
    host, question, answer, prompt_tokens, generated
):
    _, text, finish = host.run(Work(id=1, prompt=host.chat(question), sampling=GREEDY))[1]
    assert text == answer
    assert (finish.reason, finish.prompt_tokens, finish.generated_tokens) == (
        "stop",
        prompt_tokens,
        generated,
    )
    assert finish.prompt_seconds > 0
    assert finish.generation_seconds > 0


def test_marks_of_thinking_and_tools_come_out_as_text(host):
    prompt = tuple(
        host.engine.tokenize(
            "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n",
            add_special=True,
            parse_special=True,
        )
    )
    _, text, _ = host.run(Work(id=1, prompt=prompt, sampling=GREEDY))[1]
    assert text == "<think>\n\n</think>\n\nHello! How can I help you today?"


def test_tokens_and_text_turn_into_each_other(host):
    text = "<think>\nHéllo, wörld! 🌱\x00</think>"
    tokens = host.engine.tokenize(text, add_special=True, parse_special=True)
    assert host.engine.detokenize(tokens) == text.encode()
    assert tokens[0] == 3
    assert host.engine.tokenize("<|im_end|>", add_special=True, parse_special=True) == [2]
    assert len(host.engine.tokenize("<|im_end|>", add_special=True, parse_special=False)) > 1
    assert host.engine.tokenize("", add_special=True, parse_special=True) == []
    assert host.engine.tokenize("\ud800", add_special=False, parse_special=False)


def test_tokens_outside_the_vocabulary_are_an_error(host):
    with pytest.raises(EngineError, match="not in the vocabulary"):
        host.engine.detokenize([2048])


def test_a_prompt_with_tokens_outside_the_vocabulary_ends_with_an_error(host):
    finish = host.run(Work(id=1, prompt=(5, 99999)))[1][2]
    assert finish.reason == "error"
    assert host.run(Work(id=2, prompt=host.chat("Hello!"), sampling=GREEDY))[2][1]


def test_resumed_tokens_outside_the_vocabulary_end_with_an_error(host):
    finish = host.run(Work(id=1, prompt=(5,), resume=(-1,)))[1][2]
    assert finish.reason == "error"


def test_a_stop_sequence_ends_the_text_before_itself(host):
    work = Work(id=1, prompt=host.chat("count to 7"), sampling=GREEDY, stops=("4 5", "x"))
    _, text, finish = host.run(work)[1]
    assert text == "1 2 3 "
    assert (finish.reason, finish.stop_text) == ("stop", "4 5")


def test_more_works_than_slots_all_get_their_answers(host):
    prompt = host.chat("What is the capital of Japan?")
    done = host.run(*(Work(id=i, prompt=prompt, sampling=GREEDY) for i in range(12)))
    assert {text for _, text, _ in done.values()} == {"The capital of Japan is Tokyo."}


def test_a_seed_fixes_the_text_and_another_changes_it(host):
    prompt = host.chat("why is the sky blue?")
    hot = [Sampling(seed=seed, temperature=3.0, top_k=0, top_p=1.0) for seed in (1, 1, 2)]
    texts = [
        host.run(Work(id=i, prompt=prompt, sampling=s, max_tokens=20, deterministic=True))[i][1]
        for i, s in enumerate(hot)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_penalties_keep_the_model_from_repeating_itself(host):
    prompt = tuple(host.engine.tokenize("a a a a a a", add_special=True, parse_special=False))
    letters = Structure("gbnf", "root ::= [a-z ] root")
    plain = Sampling(temperature=0, structure=letters)
    strict = Sampling(
        temperature=0, repeat_penalty=2.0, frequency_penalty=5.0, presence_penalty=5.0,
        structure=letters,
    )  # fmt: skip
    tokens = [
        host.run(Work(id=i, prompt=prompt, sampling=s, max_tokens=40))[i][0]
        for i, s in enumerate((plain, strict))
    ]
    assert len(set(tokens[1])) > len(set(tokens[0]))


def test_logprobs_are_those_of_the_raw_distribution(host):
    sampling = Sampling(temperature=0, logprobs=True, top_logprobs=3)
    host.engine.submit(Work(id=1, prompt=host.chat("Hello!"), sampling=sampling))
    entries = []
    while True:
        delta = host.deltas.get(timeout=60)
        assert len(delta.logprobs) == len(delta.tokens)
        entries += delta.logprobs
        if delta.finish:
            break
    assert b"".join(entry.chosen.piece for entry in entries) == b"Hello! How can I help you today?"
    for entry in entries:
        assert entry.chosen == entry.top[0]
        assert len(entry.top) == 3
        assert 0 >= entry.top[0].logprob >= entry.top[1].logprob >= entry.top[2].logprob


def test_a_cached_prefix_is_not_evaluated_again(host):
    prompt = host.chat("why is the sky blue? " * 10)
    first = host.run(Work(id=1, prompt=prompt, sampling=GREEDY, max_tokens=5))[1]
    second = host.run(Work(id=2, prompt=prompt, sampling=GREEDY, max_tokens=5))[2]
    assert second[2].cached_tokens == len(prompt) - 1
    assert first[1] == second[1]


def test_a_prefix_is_copied_from_a_running_slot(make_host, seedling):
    host = make_host(seedling, num_ctx=512, threads=1)
    prompt = host.chat("why is the sky blue? " * 10)
    done = host.run(
        *(Work(id=i, prompt=(*prompt, 300 + i), sampling=GREEDY, max_tokens=9) for i in range(3))
    )
    assert [done[i][2].cached_tokens for i in range(3)] == [0, len(prompt), len(prompt)]
    alone = make_host(seedling, num_ctx=512, threads=1)
    for i in range(3):
        work = Work(id=i, prompt=(*prompt, 300 + i), sampling=GREEDY, max_tokens=9)
        assert alone.run(work)[i][1] == done[i][1]


def test_a_full_window_shifts_or_ends(make_host, seedling):
    host = make_host(seedling, num_ctx=128, threads=1)
    prompt = host.chat("Hello!")
    done = host.run(
        Work(id=1, prompt=prompt, sampling=ENDLESS, max_tokens=300),
        Work(id=2, prompt=prompt, sampling=ENDLESS, max_tokens=300, shift=False),
    )
    assert (len(done[1][0]), done[1][2].reason) == (300, "length")
    assert done[1][2].discarded_tokens > 0
    assert (len(prompt) + len(done[2][0]), done[2][2].reason) == (128, "length")


def test_a_running_work_can_be_cancelled(host):
    host.engine.submit(Work(id=1, prompt=host.chat("Hello!"), sampling=ENDLESS))
    host.deltas.get(timeout=60)
    host.engine.cancel(1)
    assert host.wait({1})[1][2].reason == "cancelled"


def test_streams_share_deliveries(host):
    while not host.deliveries.empty():
        host.deliveries.get()
    host.run(
        *(
            Work(id=i, prompt=host.chat("Hello!"), sampling=ENDLESS, max_tokens=100)
            for i in range(4)
        )
    )
    sizes = []
    while not host.deliveries.empty():
        deltas = host.deliveries.get()
        assert len({delta.id for delta in deltas}) == len(deltas)
        sizes.append(len(deltas))
    assert max(sizes) == 4
    assert len(sizes) < 100


def test_an_engine_reports_its_slots(host):
    stats = host.engine.stats()
    assert len(stats.slots) == 4
    assert stats.queued == 0
    assert 0 < stats.cells_used <= stats.cells == 4096
    assert stats.generated_tokens > 0
    assert stats.prefill_rate > 0
    assert stats.decode_rate > 0


@pytest.mark.parametrize("rung", [rung.number for rung in RUNGS])
def test_every_rung_of_the_ladder_answers(make_host, seedling, rung):
    settings = at_rung(EngineSettings(model_path=seedling, num_ctx=256, threads=1), rung)
    changes = attrs.asdict(settings)
    host = make_host(changes.pop("model_path"), **changes)
    prompt = host.chat("What is the capital of Japan?")
    assert host.run(Work(id=1, prompt=prompt, sampling=GREEDY))[1][1].endswith("Tokyo.")
    assert host.loaded.deterministic == (rung < 2)


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_a_quantised_kv_cache_works(make_host, seedling, kind):
    host = make_host(seedling, num_ctx=256, threads=1, kv_type=kind)
    work = Work(id=1, prompt=host.chat("Hello!"), sampling=GREEDY, max_tokens=30)
    assert host.run(work)[1][1].startswith("Hello")


def test_the_window_is_no_larger_than_what_the_model_was_trained_for(make_host, seedling):
    assert make_host(seedling, num_ctx=100000, slots=1, threads=1).loaded.n_ctx == 1024


def test_a_generating_engine_does_not_embed(host):
    with pytest.raises(EngineError, match="does not support embeddings"):
        host.engine.embed([[1, 2]])


def test_closing_cancels_what_runs_and_refuses_the_rest(make_host, seedling):
    host = make_host(seedling, num_ctx=256, threads=1)
    host.engine.submit(Work(id=1, prompt=host.chat("Hello!"), sampling=ENDLESS))
    host.deltas.get(timeout=60)
    host.engine.close()
    assert host.wait({1})[1][2].reason == "cancelled"
    assert host.stopped.get(timeout=60) is None
    with pytest.raises(EngineError, match="not running"):
        host.engine.submit(Work(id=2, prompt=(5,)))
    host.engine.close()


def test_a_breakdown_ends_all_streams_and_is_told(make_host, seedling):
    host = make_host(seedling, num_ctx=256, threads=1)
    host.engine.submit(Work(id=1, prompt=host.chat("Hello!"), sampling=ENDLESS))
    host.engine.submit(Work(id=1, prompt=(5,)))
    finish = host.wait({1})[1][2]
    assert (finish.reason, finish.error) == ("error", "the engine broke down")
    assert isinstance(host.stopped.get(timeout=60), ValueError)


def test_loading_reports_progress_and_can_be_aborted(seedling):
    parts = []

    def progress(part):
        parts.append(part)
        return part < 0.5

    engine = Engine(EngineSettings(model_path=seedling), lambda _: None)
    with pytest.raises(EngineError, match="loading was aborted"):
        engine.load(progress)
    assert parts
    assert parts == sorted(parts)
    engine.close()


def test_what_is_no_model_is_refused_in_one_line_without_a_path(tmp_path):
    file = tmp_path / "model.gguf"
    for content in (b"", b"GGUF", b"hello" * 100, b"GGUF\x03\0\0\0" + b"\xff" * 64):
        file.write_bytes(content)
        engine = Engine(EngineSettings(model_path=str(file)), lambda _: None)
        with pytest.raises(EngineError, match="the model cannot be loaded") as caught:
            engine.load()
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        engine.close()


def test_an_unknown_architecture_is_named(tmp_path, seedling):
    file = tmp_path / "model.gguf"
    with open(seedling, "rb") as source:  # noqa: PTH123 -- a copy with another name inside
        file.write_bytes(source.read().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lhama", 1))  # fmt: skip
    engine = Engine(EngineSettings(model_path=str(file)), lambda _: None)
    with pytest.raises(EngineError, match="architecture lhama is not supported"):
        engine.load()


def test_commands_may_come_from_many_threads(host):
    prompt = host.chat("Hello!")
    threads = [
        threading.Thread(
            target=lambda base=base: [
                host.engine.submit(Work(id=base + i, prompt=prompt, sampling=GREEDY))
                for i in range(5)
            ]
        )
        for base in (100, 200, 300)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {base + i for base in (100, 200, 300) for i in range(5)}
    assert {text for _, text, _ in host.wait(ids).values()} == {"Hello! How can I help you today?"}
