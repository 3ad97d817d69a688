import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.protocol.chat import ChatMessage
from actorllm.protocol.modelfile import (
    MAX_MODELFILE,
    Command,
    ModelfileError,
    Recipe,
    check_requires,
    parse_modelfile,
    parse_parameter,
    recipe_of,
)

FROM = Command("from", "m")
WORDS = [
    "FROM ",
    "SYSTEM ",
    "PARAMETER ",
    "MESSAGE ",
    "stop ",
    "user ",
    '"',
    '"""',
    "\n",
    "\r",
    "#",
    "x",
    " ",
]


def after_from(text):
    return parse_modelfile("FROM m\n" + text)[1:]


def test_instructions_are_read_in_any_case_with_their_lines():
    text = (
        "# a comment\n\n  from ./a.gguf  \n\tSystem Be brief. # no comment\nPARAMETER\tstop  a b \n"
    )
    assert parse_modelfile(text) == (
        Command("from", "./a.gguf", line=3),
        Command("system", "Be brief. # no comment", line=4),
        Command("parameter", "a b", key="stop", line=5),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('SYSTEM "quoted"', "quoted"),
        ('SYSTEM ""', ""),
        ('SYSTEM """"""', ""),
        ('SYSTEM "two\nlines"', "two\nlines"),
        ('SYSTEM """\nkeeps "inner" quotes\n"""', '\nkeeps "inner" quotes\n'),
        ('SYSTEM """a\n\n  b """  \n', "a\n\n  b "),
        ('SYSTEM "a" b"', 'a" b'),
        ('SYSTEM "\n"', "\n"),
        ("SYSTEM 'single'", "'single'"),
        ('SYSTEM says "so"', 'says "so"'),
        ("SYSTEM a\\nb", "a\\nb"),
        ("SYSTEM tab\there", "tab\there"),
        ("SYSTEM a\x00\x07b\x7f", "ab"),
        ("SYSTEM 家\u3000族 👨\u200d👩", "家\u3000族 👨\u200d👩"),
        ("SYSTEM ", ""),
    ],
)
def test_values_are_read_with_their_quotes(text, value):
    assert after_from(text) == (Command("system", value, line=2),)


@pytest.mark.parametrize("text", ['SYSTEM "open', 'SYSTEM """open\n"', 'SYSTEM "', 'SYSTEM """""'])
def test_an_open_quote_is_an_unexpected_end(text):
    with pytest.raises(ModelfileError) as error:
        after_from(text)
    assert str(error.value) == "unexpected EOF"
    assert error.value.line is None


def test_an_unknown_instruction_names_all_that_there_are():
    with pytest.raises(ModelfileError) as error:
        parse_modelfile("FROM m\n\nBAD value")
    assert str(error.value) == (
        '(line 3): command must be one of "from", "license", "template", "system", "adapter", '
        '"draft", "renderer", "parser", "parameter", "message", or "requires"'
    )
    assert error.value.line == 3


@pytest.mark.parametrize("text", ["MESSAGE tool x", "MESSAGE User x", "MESSAGE", "MESSAGE userx y"])
def test_a_message_has_one_of_three_roles(text):
    with pytest.raises(ModelfileError) as error:
        after_from(text)
    assert str(error.value) == (
        '(line 2): message role must be one of "system", "user", or "assistant"'
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SYSTEM", "(line 2): SYSTEM needs a value"),
        ("PARAMETER stop\n", "(line 2): PARAMETER stop needs a value"),
        ("PARAMETER", "(line 2): PARAMETER needs a value"),
    ],
)
def test_an_instruction_without_a_value_says_so(text, problem):
    with pytest.raises(ModelfileError) as error:
        after_from(text)
    assert str(error.value) == problem


@pytest.mark.parametrize("text", ["", "# FROM x", "SYSTEM x", "FROM ", b""])
def test_a_recipe_needs_a_source(text):
    with pytest.raises(ModelfileError, match="no FROM line"):
        parse_modelfile(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_understood(encoding):
    text = "FROM m\r\nSYSTEM “é”\r\n"
    assert parse_modelfile(text.encode(encoding)) == (FROM, Command("system", "“é”", line=2))


def test_a_text_without_bounds_is_refused():
    with pytest.raises(ModelfileError, match="too long"):
        parse_modelfile(b"#" * (MAX_MODELFILE + 1))


def test_a_long_quote_of_many_lines_is_read_in_linear_time():
    value = "x\n" * 200_000
    assert after_from(f'SYSTEM """{value}"""')[0].value == value


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_is_a_modelfile_or_an_error(text):
    try:
        commands = parse_modelfile(text)
        recipe_of(commands)
    except ModelfileError:
        return
    assert commands


def test_a_recipe_gathers_the_commands():
    text = """FROM a
FROM mmproj.gguf
ADAPTER lora.gguf
DRAFT d.gguf
TEMPLATE one
TEMPLATE {{ .Prompt }}
SYSTEM Be brief.
RENDERER r
PARSER p
REQUIRES v0.14.0
LICENSE A
LICENSE B
PARAMETER stop x
PARAMETER num_ctx 2048
PARAMETER stop y
PARAMETER temperature 0.5
PARAMETER num_ctx 4096
PARAMETER use_mmap false
PARAMETER penalize_newline true
MESSAGE user hi
MESSAGE assistant Hello: you
"""
    assert recipe_of(parse_modelfile(text)) == Recipe(
        sources=("a", "mmproj.gguf"),
        adapters=("lora.gguf",),
        drafts=("d.gguf",),
        template="{{ .Prompt }}",
        system="Be brief.",
        licenses=("A", "B"),
        parameters={"stop": ["x", "y"], "num_ctx": 4096, "temperature": 0.5, "use_mmap": False},
        messages=(ChatMessage("user", "hi"), ChatMessage("assistant", "Hello: you")),
        renderer="r",
        parser="p",
        requires="0.14.0",
        warnings=("warning: parameter penalize_newline is deprecated",),
    )


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seed", "-1", -1),
        ("top_k", "+5", 5),
        ("min_p", ".5", 0.5),
        ("min_p", "1e-3", 0.001),
        ("use_mmap", "T", True),
        ("use_mmap", "0", False),
        ("stop", "", [""]),
        ("deterministic", "true", True),
        ("mirostat", "2", 2),
        ("logit_bias", '{"7": -1}', {"7": -1}),
    ],
)
def test_parameters_have_the_types_of_the_options(key, text, value):
    parsed = parse_parameter(key, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("nope", "1", "unknown parameter 'nope'"),
        ("num_ctx", "4k", "invalid int value [4k]"),
        ("num_ctx", "4096.0", "invalid int value [4096.0]"),
        ("num_ctx", "1_000", "invalid int value [1_000]"),
        ("num_ctx", "٣", "invalid int value [٣]"),
        ("num_ctx", "9" * 5000, f"invalid int value [{'9' * 5000}]"),
        ("seed", "9223372036854775808", "invalid int value [9223372036854775808]"),
        ("temperature", "hot", "invalid float value [hot]"),
        ("temperature", "nan", "invalid float value [nan]"),
        ("temperature", "1e999", "invalid float value [1e999]"),
        ("use_mmap", "yes", "invalid bool value [yes]"),
        ("logit_bias", "7", "invalid object value [7]"),
        ("logit_bias", '{"7": "x"}', """invalid object value [{"7": "x"}]"""),
    ],
)
def test_bad_parameters_are_named(key, text, problem):
    with pytest.raises(ModelfileError) as error:
        parse_parameter(key, text)
    assert str(error.value) == problem


@pytest.mark.parametrize("version", ["0.14.0", "1", "1.2", "1.2.3-rc.1+build"])
def test_versions_are_accepted(version):
    assert check_requires(version) == version


@pytest.mark.parametrize("version", ["", "latest", "1.2.3.4", "01.2.3", "1.2.3 ", "1.2-rc", "٣"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(ModelfileError) as error:
        check_requires(version)
    assert str(error.value) == "requires must be a valid semver (e.g. 0.14.0)"
