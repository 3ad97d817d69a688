import itertools

from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.engine.text import TextAssembler


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(borders)]


def assemble(pieces: list[bytes], stops=()) -> tuple[str, str | None]:
    assembler = TextAssembler(stops)
    text = "".join(assembler.feed(piece) for piece in pieces) + assembler.finish()
    return text, assembler.stop


cuts = st.lists(st.integers(0, 200), max_size=30)
stop_lists = st.lists(st.text("ab€", min_size=1, max_size=4), max_size=4)


@given(st.binary(max_size=60), cuts)
def test_any_split_of_any_bytes_gives_what_decoding_them_at_once_gives(data, at):
    assert assemble(split(data, at))[0] == data.decode("utf-8", "replace")


@given(st.text("abc€", max_size=40), stop_lists, cuts)
def test_any_split_gives_the_same_text_and_the_same_stop(text, stops, at):
    data = text.encode()
    assert assemble(split(data, at), stops) == assemble([data], stops)


@given(st.text("abc€", max_size=40), stop_lists)
def test_the_text_ends_before_the_first_stop_that_is_complete(text, stops):
    ends = [end for end in range(len(text) + 1) if text[:end].endswith(tuple(stops))]
    shown, stop = assemble([text.encode()], stops)
    if not stops or not ends:
        assert (shown, stop) == (text, None)
    else:
        assert stop in stops
        assert shown + stop == text[: ends[0]]


@given(st.text("abc€", max_size=40), stop_lists)
def test_nothing_is_shown_that_may_yet_become_a_stop(text, stops):
    assembler = TextAssembler(stops)
    shown = ""
    for byte in text.encode():
        shown += assembler.feed(bytes([byte]))
        assert not any(stop in shown for stop in stops)


def test_a_character_waits_for_its_last_byte():
    assembler = TextAssembler()
    assert [assembler.feed(bytes([b])) for b in "€".encode()] == ["", "", "€"]


def test_an_unfinished_character_becomes_a_replacement_at_the_end():
    assembler = TextAssembler()
    assert assembler.feed(b"a\xe2\x82") == "a"
    assert assembler.finish() == "�"


def test_text_that_only_began_a_stop_comes_out_at_the_end():
    assembler = TextAssembler(["STOP"])
    assert assembler.feed(b"abc ST") == "abc "
    assert assembler.finish() == "ST"


def test_nothing_follows_a_stop():
    assembler = TextAssembler(["\n\n"])
    assert assembler.feed(b"one\n") == "one"
    assert assembler.feed(b"\ntwo") == ""
    assert assembler.feed(b"three") == ""
    assert assembler.finish() == ""


def test_empty_stops_are_ignored():
    assert assemble([b"abc"], ["", "x"]) == ("abc", None)
