import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.cli.bench.prompts import _WORDS, Ruler, ruling_words, text


@given(st.text(max_size=9), st.integers(0, 2000))
def test_a_text_has_so_many_words_and_depends_on_its_seed_alone(seed, words):
    assert len(text(seed, words).split()) == words
    assert text(seed, words) == text(seed, words)


def test_texts_of_two_seeds_differ_from_their_beginning():
    beginnings = {text(f"1/{n}", 50)[:40] for n in range(100)}
    assert len(beginnings) == 100


def test_a_long_text_has_each_word_equally_often():
    words = text("any", 3 * len(_WORDS)).split()
    assert {words.count(word) for word in words} == {3}


LENGTHS = (1, 64)


@pytest.mark.parametrize(("per_word", "overhead"), [(1, 0), (1, 25), (2, 9), (7, 1)])
def test_a_ruler_finds_what_a_word_and_a_template_take(per_word, overhead):
    ruler = Ruler.of_counts(LENGTHS, [per_word * words + overhead for words in LENGTHS])
    assert ruler.measured
    for words in (1, 64, 999):
        assert ruler.words(per_word * words + overhead) == words
    assert ruler.words(0) == 1


@pytest.mark.parametrize("counts", [(None, None), (None, 9), (9, None), (9, 9), (9, 3)])
def test_without_counts_the_length_is_a_guess(counts):
    ruler = Ruler.of_counts(LENGTHS, counts)
    assert not ruler.measured
    assert ruler.words(130) == 100


@pytest.mark.parametrize(("tokens", "words"), [(1, 2), (16, 16), (64, 64), (6000, 64)])
def test_the_texts_of_a_ruler_are_no_longer_than_the_prompts(tokens, words):
    assert ruling_words(tokens) == (1, words)
