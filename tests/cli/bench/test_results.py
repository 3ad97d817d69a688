import pytest

from actorllm.cli.bench import figures, results
from actorllm.cli.bench.traces import Counts, Trace


def trace(*pieces, sent=0.0, ended=10.0, **counts):
    return Trace(sent=sent, pieces=pieces, ended=ended, counts=Counts(**counts))


def test_streams_are_summed_up():
    first = trace(1.0, 2.0, 3.0, generated=4, prompt=10)
    second = trace(3.0, 7.0, sent=1.0, generated=2, prompt=11)
    told = results.streams([first, second], asked=4)
    assert told == {
        figures.TTFT: 1.5,
        figures.TTFT_MAX: 2.0,
        figures.GAP_P50: 1000.0,
        figures.GAP_P99: 4000.0,
        figures.GAP_MAX: 4000.0,
        figures.RATE_STREAM: pytest.approx((1.5 + 0.25) / 2),
        figures.RATE_ALL: 0.6,
        figures.TOKENS: 6,
        figures.SHORT_ANSWERS: 1,
        figures.PROMPT_TOKENS: 21,
    }


def test_what_cannot_be_measured_is_left_out():
    told = results.streams([trace(generated=0)], asked=4)
    assert figures.TTFT not in told
    assert figures.GAP_MAX not in told
    assert figures.PROMPT_TOKENS not in told
    assert told[figures.RATE_ALL] == 0


def test_computed_prompt_tokens_are_those_that_were_not_cached():
    told = results.burst(
        [trace(1.0, prompt=100, cached=0), trace(2.0, prompt=100, cached=90)], asked=1
    )
    assert told[figures.PROMPT_COMPUTED] == 110
    assert told[figures.WALL] == 10.0


def test_a_stall_counts_from_the_long_prompt_to_its_first_token():
    running = trace(1.0, 2.0, 3.0, 4.0, 4.5, ended=0.0)
    told = results.stall([running], trace(9.0, sent=3.2), trace(3.0, sent=1.0))
    assert told[figures.STALL] == 4500  # from 4.5 to 9.0
    assert told[figures.USUAL_GAP] == 1000
    assert told[figures.LONG_TTFT] == pytest.approx(5.8)
    assert told[figures.LONG_OVER_ALONE] == pytest.approx(2.9)


def test_a_stream_that_ended_by_itself_did_not_stall_afterwards():
    ended = trace(1.0, 2.0, 3.5, ended=3.6)
    begun_anew = trace(5.0, 5.5, 6.0, sent=3.6, ended=0.0)
    told = results.stall([ended, begun_anew], trace(6.1, sent=2.5), trace(3.0))
    assert told[figures.STALL] == 1500


def test_a_stream_that_ended_before_or_began_after_has_no_part_in_it():
    before, after = trace(1.0, 2.0, ended=2.0), trace(8.0, 9.0, ended=0.0)
    told = results.stall([before, after], trace(7.0, sent=3.0), trace(3.0))
    assert figures.STALL not in told


def test_the_second_time_is_compared_with_the_first():
    told = results.second(trace(4.0), trace(5.0, sent=3.0, prompt=9, cached=8))
    assert told[figures.SECOND_OVER_FIRST] == 0.5
    assert told[figures.PROMPT_COMPUTED] == 1


def test_embeddings_are_compared_with_those_one_by_one():
    told = results.embeddings(
        [[1.0, 0.0], [0.0, 2.0]],
        [[2.0, 0.0], [3.0, 4.0]],
        one_request=0.5,
        one_by_one=4.0,
        side_by_side=1.0,
    )
    assert told[figures.TEXTS_ONE_OVER_SERIAL] == 8
    assert told[figures.TEXTS_SIDE_OVER_SERIAL] == 4
    assert told[figures.TEXTS_ONE_BY_ONE] == 0.5
    assert told[figures.COSINE] == pytest.approx(0.8)


def test_an_empty_vector_is_like_none():
    told = results.embeddings([[0.0]], [[1.0]], one_request=1, one_by_one=1, side_by_side=1)
    assert told[figures.COSINE] == 0
