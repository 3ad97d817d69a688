import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.cli.text import Wrapper, one_line, printable, safe, width


def screen(text, columns):
    """What a terminal shows after the output of a wrapper."""
    lines, column = [""], 0
    for part in re.split(r"(\x1b\[\d+D|\x1b\[K|\n)", text):
        if not part:
            continue
        if part == "\n":
            lines.append("")
            column = 0
        elif part.endswith("D"):
            column -= int(part[2:-1])
        elif part.endswith("K"):
            while width(lines[-1]) > column:
                lines[-1] = lines[-1][:-1]
        else:
            lines[-1] += part
            column = width(lines[-1])
            assert column < columns
    return lines


def wrapped(pieces, columns):
    wrapper = Wrapper(columns)
    return screen("".join(map(wrapper.feed, pieces)), columns)


def test_words_are_not_cut_at_the_end_of_a_line():
    assert wrapped(["the quick brown fox"], 12) == ["the quick ", "brown fox"]


def test_the_pieces_in_which_a_text_comes_do_not_matter():
    text = "one two three four\nfive sixteen words of it"
    whole = wrapped([text], 12)
    assert wrapped(list(text), 12) == whole
    assert wrapped([text[:7], text[7:9], text[9:]], 12) == whole


def test_a_word_longer_than_a_line_is_cut():
    assert wrapped(["abcdefghij"], 5) == ["abcd", "efgh", "ij"]


def test_wide_characters_take_two_cells_and_may_be_cut_anywhere():
    assert wrapped(["漢字漢字"], 6) == ["漢字", "漢字"]


@given(st.text(st.sampled_from("ab 漢é\u0301\n\t")), st.integers(3, 12))
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(text, columns):
    shown = "".join(wrapped([text], columns))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)


def test_escape_sequences_lose_their_escape():
    assert printable("a\x1b[2J\x07\x9bb\tc\n") == "a[2Jb\tc\n"
    assert printable("naïve 漢字 👩‍👩‍👧") == "naïve 漢字 👩‍👩‍👧"


def test_a_pipe_gets_the_text_as_it_is():
    assert safe("\x1b[1m", io.StringIO()) == "\x1b[1m"


def test_an_error_is_one_line_of_bounded_length():
    assert one_line("a\r\nb\t c\x1b") == "a b c"
    assert len(one_line("x" * 9000)) == 2000


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("漢", 2), ("e\u0301", 1), ("", 0)])
def test_width_counts_cells(text, cells):
    assert width(text) == cells
