from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.protocol.errors import Refused
from actorllm.protocol.names import (
    MISSING,
    ModelRef,
    Name,
    blob_file,
    digest_of,
    existing_spelling,
    name_of_path,
    parse_digest,
    parse_name,
    parse_ref,
    valid_name,
)

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("llama3", "registry.ollama.ai/library/llama3:latest"),
        ("llama3:8b", "registry.ollama.ai/library/llama3:8b"),
        ("me/llama3:8b", "registry.ollama.ai/me/llama3:8b"),
        ("hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("https://localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("Upper_1.2-x:V.1", "registry.ollama.ai/library/Upper_1.2-x:V.1"),
        ("_x", "registry.ollama.ai/library/_x:latest"),
    ],
)
def test_a_name_is_read_from_the_right_with_defaults(text, full):
    name = parse_name(text)
    assert name.is_valid
    assert name.full() == full
    assert valid_name(text) == name


def test_the_scheme_is_kept_beside_the_identity():
    name = parse_name("http://host/a/b")
    assert name.scheme == "http"
    assert name == parse_name("host/a/b")
    assert hash(name) == hash(parse_name("host/a/b"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        ":",
        "a:",
        ":a",
        "/",
        "/a",
        "a/",
        "a//b",
        "//a",
        "a/b/c/d",
        "x@sha256:abc",
        "../../etc/passwd",
        "..",
        ".",
        "a:..",
        "..:a",
        ".hidden",
        "-x",
        "name.space/x",
        "é",
        "x\n",
        "x\x00",
        "x\\y",
        "a" * 81,
        "a:" + "b" * 81,
        "n" * 81 + "/a",
        "h" * 351 + "/n/a",
        "a" * 100_000,
        "http://x",
        "٣",
    ],
)
def test_what_is_no_name_is_refused(text):
    assert not parse_name(text).is_valid
    with pytest.raises(Refused, match="invalid model name") as refusal:
        valid_name(text)
    assert refusal.value.problem.status == 400
    with pytest.raises(Refused):
        parse_name(text).path_parts()


def test_a_promised_part_that_is_empty_is_marked_as_missing():
    assert parse_name("a:").tag == MISSING
    assert parse_name("/a").namespace == MISSING
    assert parse_name("x//a").namespace == MISSING


def test_the_longest_parts_are_valid():
    assert parse_name(f"{'h' * 350}/{'n' * 80}/{'m' * 80}:{'t' * 80}").is_valid


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("llama3", "llama3:latest"),
        ("library/llama3:8b", "llama3:8b"),
        ("me/llama3", "me/llama3:latest"),
        ("registry.ollama.ai/library/x:y", "x:y"),
        ("hf.co/library/x:y", "hf.co/library/x:y"),
    ],
)
def test_the_short_form_leaves_defaults_out(text, short):
    assert parse_name(text).short() == short
    assert parse_name(short) == parse_name(text)


@given(st.text(max_size=60) | st.text("abzAZ09_-.:/!\\~ \x00", max_size=30))
def test_no_text_makes_a_path_that_leaves_its_folder(text):
    name = parse_name(text)
    if not name.is_valid:
        return
    path = PurePosixPath("/root", *name.path_parts())
    assert len(path.parts) == 6
    assert not {"..", "."} & set(path.parts)
    assert name_of_path(path.parts[2:]) == name
    assert parse_name(name.short()) == name
    assert parse_name(name.full()) == name


@pytest.mark.parametrize("parts", [(), ("a", "b", "c"), ("a", "b", "..", "c"), ("a", "b", "c", "")])
def test_a_path_that_no_name_has_gives_no_name(parts):
    assert name_of_path(parts) is None


def test_lookups_ignore_case():
    existing = [parse_name("me/Foo:Q4"), parse_name("foo:latest")]
    assert existing_spelling(parse_name("ME/fOO:q4"), existing) == parse_name("me/Foo:Q4")
    assert existing_spelling(parse_name("FOO"), existing) == parse_name("foo:latest")


def test_a_new_name_takes_the_spelling_that_its_parts_have():
    existing = [parse_name("me/Foo:Q4")]
    assert existing_spelling(parse_name("ME/bar:q4"), existing) == parse_name("me/bar:Q4")
    assert existing_spelling(parse_name("bar"), []) == parse_name("bar")


def test_an_existing_name_is_found_even_if_its_tag_is_spelled_otherwise_elsewhere():
    existing = [parse_name("a:X"), parse_name("b:x")]
    assert existing_spelling(parse_name("B:X"), existing) == parse_name("b:x")
    assert existing_spelling(parse_name("b:x"), existing) == parse_name("b:x")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (" gpt-oss ", ModelRef("gpt-oss", "gpt-oss")),
        ("gpt-oss:cloud", ModelRef("gpt-oss:cloud", "gpt-oss", "cloud")),
        ("gpt-oss:20b-Cloud", ModelRef("gpt-oss:20b-Cloud", "gpt-oss:20b", "cloud")),
        ("gpt-oss:local", ModelRef("gpt-oss:local", "gpt-oss", "local")),
        ("x:20b:local", ModelRef("x:20b:local", "x:20b", "local")),
        ("x-cloud", ModelRef("x-cloud", "x-cloud")),
        ("x:y/z-cloud", ModelRef("x:y/z-cloud", "x:y/z-cloud")),
        ("", ModelRef("", "")),
    ],
)
def test_a_reference_says_where_the_model_runs(text, ref):
    assert parse_ref(text) == ref
    assert parse_ref(text).is_cloud == (ref.source == "cloud")


@pytest.mark.parametrize("text", ["x:local:cloud", "x:cloud:local", "x:20b-cloud:local"])
def test_two_sources_are_refused(text):
    with pytest.raises(Refused) as refusal:
        parse_ref(text)
    assert str(refusal.value) == f'use either :local or :cloud, not both: "{text}"'
    assert refusal.value.problem.status == 400


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_a_digest_has_one_normal_spelling(text):
    assert parse_digest(text) == f"sha256:{HEX}"
    assert blob_file(text) == f"sha256-{HEX}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        HEX,
        f"sha256:{HEX}\n",
        f"sha256:{HEX}0",
        f"sha256:{HEX[:-1]}",
        f"sha512:{HEX}",
        f"sha256:../{HEX[3:]}",
    ],
)
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(Refused, match="invalid digest format") as refusal:
        blob_file(text)
    assert refusal.value.problem.status == 400


@given(st.text(max_size=80))
def test_no_text_makes_a_blob_file_with_a_separator(text):
    try:
        made = blob_file(text)
    except Refused:
        return
    assert len(made) == 71
    assert "/" not in made


def test_bytes_have_their_digest():
    assert digest_of(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_a_name_can_be_made_of_any_parts_but_has_a_path_only_if_valid():
    with pytest.raises(Refused):
        Name("h", "n", "..", "t").path_parts()
