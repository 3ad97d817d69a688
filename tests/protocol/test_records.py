import attrs
import pytest

from actorllm.protocol.records import record


def _made_by(decorator):
    @decorator
    class Value:
        name: str
        count: int = 0
        secret: str = attrs.field(default="", repr=False)
        note: str = attrs.field(default="", eq=False)

    return Value


_Generated, _Shared = _made_by(attrs.frozen), _made_by(record)


@record
class _Own:
    name: str

    def __repr__(self):
        return "own"


VALUES = [("a",), ("a", 1), ("b",), ("a", 0, "s"), ("a", 0, "", "n"), ("a", float("nan"))]


def test_records_are_equal_where_generated_classes_are():
    for one in VALUES:
        for other in VALUES:
            is_equal = _Shared(*one) == _Shared(*other)
            assert is_equal == (_Generated(*one) == _Generated(*other))
            assert (_Shared(*one) != _Shared(*other)) == (not is_equal)
            assert not is_equal or hash(_Shared(*one)) == hash(_Shared(*other))
    assert _Shared("a") != _Generated("a")
    assert len({_Shared("a"), _Shared("a"), _Shared("b")}) == 2


@pytest.mark.parametrize("value", VALUES)
def test_records_are_shown_as_generated_classes_are(value):
    assert repr(_Shared(*value)) == repr(_Generated(*value))


def test_records_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        _Shared("a").name = "b"


def test_what_a_class_defines_itself_stays():
    assert repr(_Own("a")) == "own"
