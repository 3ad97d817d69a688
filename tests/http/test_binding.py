"""From JSON to bodies, with the words of Go's decoder."""

import pytest

from actorllm.http.wire import base64
from actorllm.http.wire.binding import FLOAT32, bind, body, given
from actorllm.http.wire.mismatch import Mismatch


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


def test_fields_are_found_by_key_without_regard_to_case():
    made = bind(Outer, b'{"TEXT":"a","From":"b","Inner":{"NAME":"n"},"other":[1]}')
    assert (made.text, made.source, made.inner.name) == ("a", "b", "n")


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
    with pytest.raises(Mismatch) as caught:
        bind(Outer, source.encode())
    assert str(caught.value) == f"json: cannot unmarshal {text}"


@pytest.mark.parametrize(
    ("text", "place"),
    [("***", 0), ("not base64!", 3), ("abc", 0), ("abcde", 4), ("a=bc", 1), ("ab=c", 2), ("ab==x", 4), ("aGk=x", 4)],
)  # fmt: skip
def test_broken_base64_is_told_with_its_place(text, place):
    with pytest.raises(base64.Base64Error, match=f"illegal base64 data at input byte {place}$"):
        base64.decode(text)


def test_line_breaks_in_base64_are_ignored():
    assert base64.decode("aG\r\nk=\n") == b"hi"
