import pytest

from actorllm.protocol.chat import ChatMessage, ToolCall
from actorllm.protocol.layers import (
    LayerError,
    dump_messages,
    dump_params,
    parse_messages,
    parse_params,
)


def test_parameters_are_written_sorted_as_other_servers_write_them():
    data = dump_params({"temperature": 0.5, "stop": ["<b>"], "num_ctx": 4096.0})
    assert data == b'{"num_ctx":4096,"stop":["\\u003cb\\u003e"],"temperature":0.5}\n'
    assert parse_params(data) == {"num_ctx": 4096, "stop": ["<b>"], "temperature": 0.5}


def test_messages_read_back_as_they_were():
    call = ToolCall("f", {"b": 1, "a": [2]}, id="call_1", index=1)
    messages = (
        ChatMessage("user", "hi <there>", images=(b"\x00\xff",)),
        ChatMessage("assistant", thinking="hm", tool_calls=(call,)),
        ChatMessage("tool", "7", tool_name="f", tool_call_id="call_1"),
    )
    assert parse_messages(dump_messages(messages)) == messages


def test_a_plain_message_has_two_keys():
    assert dump_messages((ChatMessage("user", "hi"),)) == b'[{"role":"user","content":"hi"}]\n'


@pytest.mark.parametrize("data", [b"null", b"null\n"])
def test_null_is_an_empty_layer(data):
    assert parse_params(data) == {}
    assert parse_messages(data) == ()


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"{", b'{"a":1e999}', b" " * (17 << 20)])
def test_parameters_of_another_shape_are_an_error(data):
    with pytest.raises(LayerError):
        parse_params(data)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[1]",
        b'[{"role":1}]',
        b'[{"content":[]}]',
        b'[{"images":"x"}]',
        b'[{"images":["?"]}]',
        b'[{"images":[5]}]',
        b'[{"images":["\\u00e9"]}]',
        b'[{"tool_calls":{}}]',
        b'[{"tool_calls":[{"function":{"arguments":"x"}}]}]',
        b'[{"tool_calls":[{"function":{"index":-1}}]}]',
    ],
)
def test_messages_of_another_shape_are_an_error(data):
    with pytest.raises(LayerError):
        parse_messages(data)
