import pytest

from actorllm.cli.bench.traces import Counts, Recording, Trace, longest_wait


def recording(*chunks, ended=9.0):
    made = Recording(sent=0.0)
    for number, chunk in enumerate(chunks, 1):
        made.add(float(number), chunk)
    made.ended = ended
    return made


def trace(*pieces, sent=0.0, ended=9.0, **counts):
    return Trace(sent=sent, pieces=pieces, ended=ended, counts=Counts(**counts))


def test_a_line_comes_with_its_last_byte():
    lines = list(recording(b"a\nb", b"c\n\r\n", b"d\ne\n").lines())
    assert lines == [(1.0, b"a"), (2.0, b"bc"), (3.0, b"d"), (3.0, b"e")]


def test_a_last_line_without_a_newline_counts_if_the_stream_ended():
    assert list(recording(b"a\nb").lines()) == [(1.0, b"a"), (9.0, b"b")]
    assert list(recording(b"a\nb", ended=0.0).lines()) == [(1.0, b"a")]


def test_a_trace_tells_first_token_gaps_and_rate():
    told = trace(3.0, 4.0, 6.0, sent=1.0, generated=7)
    assert (told.ttft, told.gaps, told.tokens) == (2.0, [1.0, 2.0], 7)
    assert told.rate == pytest.approx(6 / 3)


def test_pieces_stand_in_for_tokens_that_are_not_counted():
    assert trace(3.0, 4.0).tokens == 2


def test_a_stream_without_text_has_no_first_token():
    told = trace(generated=3)
    assert (told.ttft, told.gaps, told.rate) == (None, [], None)


@pytest.mark.parametrize(
    ("pieces", "begin", "end", "longest"),
    [
        ((1.0, 2.0, 3.0, 4.0), 1.5, 3.5, 1.0),
        ((1.0, 5.0, 6.0), 4.0, 5.5, 4.0),  # began before
        ((1.0, 2.0), 1.5, 9.0, 7.0),  # not over at the end
        ((1.0, 2.0, 8.0), 2.0, 5.0, 6.0),  # over after the end
        ((6.0, 7.0), 1.0, 7.5, 1.0),  # nothing is waited for before the first piece
        ((), 1.0, 2.0, 0.0),
    ],
)
def test_the_longest_wait_reaches_into_the_span(pieces, begin, end, longest):
    assert longest_wait(pieces, begin, end) == longest
