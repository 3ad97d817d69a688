from hypothesis import given
from hypothesis import strategies as st

from actorllm.actors.runner.parse.scan import JsonEnd, Scanner, Tags, Token


def scanned(text, tags):
    scanner = Scanner()
    scanner.push(text)
    return scanner, scanner.take(tags)


def test_text_before_a_tag_comes_with_the_tag():
    _, token = scanned("a<x>b", Tags(["<x>"]))
    assert token == Token("a", "<x>")


def test_only_what_may_become_a_tag_is_held_back():
    scanner, token = scanned("a < b <xy", Tags(["<xyz>"]))
    assert token == Token("a < b ")
    scanner.push("z>")
    assert scanner.take(Tags(["<xyz>"])) == Token("", "<xyz>")


def test_what_did_not_become_a_tag_is_text():
    scanner, _ = scanned("<xy", Tags(["<xyz>"]))
    scanner.push("!")
    assert scanner.take(Tags(["<xyz>"])) == Token("<xy!")


def test_at_the_end_nothing_is_held_back():
    scanner, _ = scanned("<xy", Tags(["<xyz>"]))
    scanner.close()
    assert scanner.take(Tags(["<xyz>"])) == Token("<xy")
    assert scanner.empty


def test_of_two_tags_at_one_place_the_longer_wins_even_if_it_comes_late():
    tags = Tags(["<x>", "<x>y"])
    scanner, token = scanned("<x>", tags)
    assert token == Token("")
    scanner.push("y")
    assert scanner.take(tags) == Token("", "<x>y")
    scanner.push("<x>z")
    assert scanner.take(tags) == Token("", "<x>")


def test_an_earlier_tag_that_may_still_come_wins_over_a_later_one():
    tags = Tags(["bc", "abcd"])
    scanner, token = scanned("abc", tags)
    assert token == Token("")
    scanner.push("e")
    assert scanner.take(tags) == Token("a", "bc")


def test_a_tag_is_awaited_where_it_may_begin():
    scanner = Scanner()
    tags = Tags(["<x>"])
    scanner.push("<")
    assert scanner.take_tag(tags) is None
    scanner.push("x>")
    assert scanner.take_tag(tags) is True
    scanner.push("y")
    assert scanner.take_tag(tags) is False


@given(st.text(alphabet="<xy>", max_size=30), st.integers(1, 5))
def test_tokens_do_not_depend_on_the_pieces(text, size):
    def tokens(pieces):
        scanner = Scanner()
        tags = Tags(["<x>", "<xy", "y>"])
        found = []
        for piece in [*pieces, None]:
            if piece is None:
                scanner.close()
            else:
                scanner.push(piece)
            while not scanner.empty:
                token = scanner.take(tags)
                found += [*token.text, *([token.tag] if token.tag else [])]
                if not token.tag:
                    break
        return found

    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert tokens(pieces) == tokens([text])


def test_the_end_of_a_json_value_is_found_across_pieces():
    end = JsonEnd()
    for piece in ('{"a": "}', '\\"', '{"', ', "b": [1'):
        assert end.find(piece, 0) == -1
    assert end.find("]} rest", 0) == 2


def test_json_ends_with_its_first_value():
    assert JsonEnd().find("x [1, {}] [2]", 0) == len("x [1, {}]")


def test_following_text_tells_whether_it_stops_inside_a_string():
    end = JsonEnd()
    end.follow('{"a": "b')
    assert end.in_string
    end.follow('"} {"')
    assert end.in_string
