"""Compressed bodies: undone, bounded, and refused when they are not what they say."""

import gzip
import json
import zlib

import pytest
import zstandard

from actorllm.http.connection import BodyTooLarge
from actorllm.http.encoding import decoded
from actorllm.protocol.errors import Refused

DATA = b'{"model": "text", "messages": [{"role": "user", "content": "x"}]}'
LIMIT = 1 << 20


def raw(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def zstd(data):
    return zstandard.ZstdCompressor().compress(data)


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw,
    "zstd": zstd,
    "gzip, zstd": lambda data: zstd(gzip.compress(data)),
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_is_what_it_was(encoding):
    assert decoded(PACKED[encoding](DATA), encoding, LIMIT) == DATA


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_parts_are_one_body(encoding):
    pack = PACKED[encoding]
    assert decoded(pack(b"one ") + pack(b"two"), encoding, LIMIT) == b"one two"


@pytest.mark.parametrize("encoding", [name for name in PACKED if name not in {"", "identity"}])
def test_a_bomb_is_refused(encoding):
    with pytest.raises(BodyTooLarge):
        decoded(PACKED[encoding](bytes(50 << 20)), encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("data", [DATA, b"\xff" * 20])
def test_what_is_no_such_body_is_refused(encoding, data):
    with pytest.raises(Refused) as refused:
        decoded(data, encoding, LIMIT)
    assert refused.value.problem.text == f"the body is no valid {encoding}"


def test_a_body_that_was_cut_is_refused():
    with pytest.raises(Refused):
        decoded(gzip.compress(DATA)[:-9], "gzip", LIMIT)


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "gzip, gzip, gzip"])
def test_other_encodings_are_refused(encoding):
    with pytest.raises(Refused) as refused:
        decoded(DATA, encoding, LIMIT)
    assert refused.value.problem.status == 415


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
async def test_the_dialects_take_compressed_bodies(client, world, path):
    body = zstd(json.dumps(json.loads(DATA) | {"max_tokens": 9, "input": "x"}).encode())
    answer = await client.post(path, content=body, headers={"Content-Encoding": "zstd"})
    assert answer.status_code == 200
    assert world.requests[0].messages[0].content == "x"


async def test_a_bomb_is_answered_with_413(client, settings):
    bomb = zstd(bytes(settings.max_request_bytes + 1))
    answer = await client.post("/v1/messages", content=bomb, headers={"Content-Encoding": "zstd"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
