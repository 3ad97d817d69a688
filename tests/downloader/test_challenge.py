import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.downloader.challenge import (
    Challenge,
    parse_challenges,
    parse_token,
    token_url,
)
from actorllm.protocol.errors import Refused


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Bearer realm="https://r/t",service="s",scope="a b"',
         [Challenge("bearer", "https://r/t", "s", "a b")]),
        ("bearer realm=x", [Challenge("bearer", "x")]),
        ('Basic realm="a, b=c"', [Challenge("basic", "a, b=c")]),
        (r'Basic realm="say \"hi\""', [Challenge("basic", 'say "hi"')]),
        ('Basic realm="x", Bearer realm="y", service="z"',
         [Challenge("basic", "x"), Challenge("bearer", "y", "z")]),
        ("Negotiate, Basic realm=x", [Challenge("negotiate"), Challenge("basic", "x")]),
        ('Bearer realm="x", realm="y"', [Challenge("bearer", "x")]),
        ('realm="x"', []),
        ("", []),
        ('Bearer realm="open', [Challenge("bearer")]),
    ],
)  # fmt: skip
def test_challenges_are_taken_apart(header, challenges):
    found = list(parse_challenges(header))
    assert found[: len(challenges)] == challenges


@given(header=st.text(max_size=200))
def test_no_header_is_too_strange(header):
    assert all(challenge.scheme for challenge in parse_challenges(header))


def test_a_long_header_takes_no_time():
    parse_challenges('Bearer realm="' + "\\" * 1_000_000)
    parse_challenges("a " * 1_000_000)


def url(challenge, scheme="https", host="r.example"):
    return token_url(challenge, scheme, host, now=17, nonce="n0")


def test_the_query_of_a_token_request_is_sorted():
    challenge = Challenge("bearer", "https://r.example/t?x=1", "s t", "repository:a/b:pull z")
    assert url(challenge) == (
        "https://r.example/t?nonce=n0&scope=repository%3Aa%2Fb%3Apull&scope=z&service=s+t&ts=17&x=1"
    )


@pytest.mark.parametrize(
    "realm",
    ["https://evil/t", "https://r.example@evil/t", "https://r.example.evil/t", "/t", "",
     "https://me@r.example/t", "https://r.example:444/t", "https://[r.example/t"],
)  # fmt: skip
def test_no_stranger_is_asked_for_a_token(realm):
    with pytest.raises(Refused, match="does not match original host"):
        url(Challenge("bearer", realm))


def test_no_secret_goes_to_plain_http():
    with pytest.raises(Refused, match="not on https"):
        url(Challenge("bearer", "http://r.example/t"))
    assert url(Challenge("bearer", "http://r.example/t"), scheme="http")


@pytest.mark.parametrize(
    ("reply", "token"),
    [
        (b'{"token":"t"}', "t"),
        (b'{"access_token":"t"}', "t"),
        (b'{"token":"","access_token":"t"}', "t"),
        (b'{"token":"a\\r\\nX-Evil: 1"}', None),
        (b'{"token":7}', None),
        (b"[]", None),
        (b"<html>", None),
        (b'{"token":"' + b"x" * 20_000 + b'"}', None),
    ],
)
def test_only_a_token_that_can_be_sent_is_one(reply, token):
    assert parse_token(reply) == token
