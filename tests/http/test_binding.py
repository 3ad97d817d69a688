"""From JSON to bodies, with the words of Go's decoder."""

from typing import Any

import pytest

from actorllm.http.wire import base64
from actorllm.http.wire.binding import bind, body, given, struct_of
from actorllm.http.wire.mismatch import Mismatch
from actorllm.http.wire.values import FLOAT32, RAW, Bytes, Later, List, Ordered, UnorderedError


@body("api.Inner")
class Inner:
    name: str = ""
    sizes: tuple[int, ...] = ()


@body("api.Own", own="api.Alias")
class Own:
    role: str = ""


@body("api.Outer")
class Outer:
    text: str = ""
    count: int = 0
    maybe: int | None = None
    share: float = given(default=0.5, kind=FLOAT32)
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()
    owns: tuple[Own, ...] = ()
    names: dict[str, str] | None = None
    data: bytes = b""
    source: str = given(default="", key="from")


@body("api.Leaf")
class Leaf:
    kind: str = ""
    deeper: dict | None = given(
        default=None, kind=Ordered(Later("api.Leaf", lambda: struct_of(Leaf)))
    )


@body("api.Nameless", unnamed="struct { A string }")
class Nameless:
    a: str = ""


@body("api.Holder")
class Holder:
    anyOf: Nameless = Nameless()  # noqa: N815 -- a key's spelling
    leaves: dict | None = given(default=None, kind=Ordered(struct_of(Leaf)))
    images: tuple[bytes, ...] = given(default=(), kind=List(Bytes("api.Image")))
    free: Any = None
    raw: Any = given(default="not sent", kind=RAW)


def test_fields_are_found_by_key_without_regard_to_case():
    made = bind(Outer, b'{"TEXT":"a","From":"b","Inner":{"NAME":"n"},"other":[1]}')
    assert (made.text, made.source, made.inner.name) == ("a", "b", "n")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{"leaves":{"x":1}}', "number into Go struct field Holder.leaves of type api.Leaf"),
        ('{"leaves":{"x":{"kind":1}}}', "number into Go struct field Holder.leaves.kind of type string"),
        ('{"leaves":{"x":{"deeper":{"y":[]}}}}', "array into Go struct field Holder.leaves.deeper of type api.Leaf"),
        ('{"anyof":1}', "number into Go struct field Holder.anyOf of type struct { A string }"),
        ('{"anyOf":{"a":1}}', "number into Go struct field .anyOf.a of type string"),
        ('{"images":[5]}', "number into Go struct field Holder.images of type api.Image"),
        ('{"images":[[256]]}', "number 256 into Go struct field Holder.images of type uint8"),
        ('{"free":[{"x":1e400}]}', "number 1e400 into Go struct field Holder.free of type float64"),
        ('{"images":5,"leaves":{"x":1}}', "number into Go struct field Holder.leaves of type api.Leaf"),
    ],
)  # fmt: skip
def test_a_wrong_type_deep_inside_is_told_as_go_tells_it(source, text):
    assert mismatch(Holder, source) == f"json: cannot unmarshal {text}"


def mismatch(kind, source):
    """What is wrong with a body."""
    with pytest.raises(Mismatch) as caught:
        bind(kind, source.encode())
    return str(caught.value)


def test_what_keeps_its_order_must_be_an_object():
    with pytest.raises(UnorderedError, match="can't find closing"):
        bind(Holder, b'{"leaves":{"x":{"deeper":[]}}}')


def test_bytes_may_be_numbers():
    assert bind(Holder, b'{"images":["aGk=",[104,105,null],[],null]}').images == (
        b"hi",
        b"hi\0",
        b"",
        b"",
    )


def test_a_number_that_is_too_large_does_no_harm_where_nobody_reads():
    made = bind(Holder, b'{"other":1e400,"free":{"a":[1,2.5,-3e2]},"raw":1e400}')
    assert made.free == {"a": [1, 2.5, -300.0]}
    assert [type(value) for value in made.free["a"]] == [int, float, float]
    assert made.raw == 0


def test_raw_json_that_is_null_is_not_one_that_was_not_sent():
    assert bind(Holder, b"{}").raw == "not sent"
    assert bind(Holder, b'{"raw":null}').raw is None


def test_the_later_of_two_spellings_wins():
    assert bind(Outer, b'{"text":"a","Text":"b"}').text == "b"


def test_null_leaves_the_default_everywhere():
    made = bind(
        Outer, b'{"text":null,"share":null,"inner":null,"inners":[null],"names":{"a":null}}'
    )
    assert (made.text, made.share, made.inner.name) == ("", 0.5, "")
    assert made.inners[0].name == ""
    assert made.names == {"a": ""}
    assert bind(Outer, b"null").text == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[]", "array into Go value of type api.Outer"),
        ('{"text":1}', "number into Go struct field Outer.text of type string"),
        ('{"count":1.0}', "number 1.0 into Go struct field Outer.count of type int"),
        ('{"count":true}', "bool into Go struct field Outer.count of type int"),
        ('{"maybe":9223372036854775808}', "number 9223372036854775808 into Go struct field Outer.maybe of type int"),
        ('{"share":1e39}', "number 1e39 into Go struct field Outer.share of type float32"),
        ('{"inner":"x"}', "string into Go struct field Outer.inner of type api.Inner"),
        ('{"inner":{"name":[]}}', "array into Go struct field Inner.inner.name of type string"),
        ('{"inner":{"sizes":["x"]}}', "string into Go struct field Inner.inner.sizes of type int"),
        ('{"inners":{}}', "object into Go struct field Outer.inners of type []api.Inner"),
        ('{"owns":["x"]}', "string into Go struct field Outer.owns of type api.Alias"),
        ('{"owns":[{"role":1}]}', "number into Go struct field Outer.owns.role of type string"),
        ('{"names":[]}', "array into Go struct field Outer.names of type map[string]string"),
        ('{"text":1,"count":"x"}', "number into Go struct field Outer.text of type string"),
        ('{"text":1,"owns":"x"}', "number into Go struct field Outer.text of type string"),
        ('{"text":1,"owns":["x"]}', "string into Go struct field Outer.owns of type api.Alias"),
        ('{"text":1,"data":"***"}', "number into Go struct field Outer.text of type string"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_told_with_its_place(source, text):
    assert mismatch(Outer, source) == f"json: cannot unmarshal {text}"


@pytest.mark.parametrize(
    ("text", "place"),
    [("***", 0), ("not base64!", 3), ("abc", 0), ("abcde", 4), ("a=bc", 1), ("ab=c", 2), ("ab==x", 4), ("aGk=x", 4)],
)  # fmt: skip
def test_broken_base64_is_told_with_its_place(text, place):
    with pytest.raises(base64.Base64Error, match=f"illegal base64 data at input byte {place}$"):
        base64.decode(text)


def test_line_breaks_in_base64_are_ignored():
    assert base64.decode("aG\r\nk=\n") == b"hi"
