import pytest

from actorllm.cli.errors import Failure
from actorllm.cli.media import MAX_MEDIA, extract_media

PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a cat.png"
    path.write_bytes(PNG)
    return path


def test_a_path_with_escaped_spaces_is_taken_out_of_the_prompt(image):
    prompt = extract_media(f"What is in {str(image).replace(' ', chr(92) + ' ')} ?")
    assert prompt.text == "What is in  ?"
    assert prompt.media == (PNG,)
    assert prompt.names == (str(image),)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quoted_path_may_hold_spaces(image, quote):
    assert extract_media(f"{quote}{image}{quote} what is it").media == (PNG,)


def test_paths_may_be_relative_or_in_the_home_folder(image, monkeypatch):
    monkeypatch.chdir(image.parent)
    monkeypatch.setenv("HOME", str(image.parent))
    assert extract_media(r"./a\ cat.png ~/a\ cat.png").media == (PNG, PNG)


def test_two_paths_keep_their_order(image):
    other = image.with_name("b.WAV")
    other.write_bytes(b"RIFF....WAVE")
    prompt = extract_media(f"{other} and '{image}'")
    assert prompt.media == (b"RIFF....WAVE", PNG)
    assert prompt.text == "and"


@pytest.mark.parametrize("text", ["/no/such.png", "see a.png", "and/or.jpeg", "http://x/y.png"])
def test_what_is_no_file_stays_in_the_prompt(text):
    assert extract_media(text).text == text
    assert extract_media(text).media == ()


def test_a_file_that_is_no_image_is_refused(image):
    image.write_bytes(b"#!/bin/sh")
    with pytest.raises(Failure, match="is not a JPEG, PNG, WebP or WAV file"):
        extract_media(f"'{image}'")


def test_a_file_that_is_too_large_is_refused_unread(image):
    with image.open("r+b") as file:
        file.truncate(MAX_MEDIA + 1)
    with pytest.raises(Failure, match="larger than 100 MB"):
        extract_media(f"'{image}'")
