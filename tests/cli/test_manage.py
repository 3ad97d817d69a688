import socket
from datetime import UTC, datetime

import pytest

from actorllm.cli.manage import PS_HEADER, list_rows, processor, ps_rows
from actorllm.cli.tables import section, table

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MODEL = {
    "name": "seedling:latest",
    "digest": "d007099759331b2541b4d5418169fc30ce808aa8bfe1b1b76b5b38df89799cf2",
    "size": 4810582,
    "modified_at": "2026-11-21T11:57:30.429529343Z",
}


def test_models_are_listed_in_padded_columns():
    assert table(("NAME", "SIZE"), [("a", "1 B"), ("longer", "4.7 GB")]) == (
        "NAME      SIZE \na         1 B       \nlonger    4.7 GB    \n"
    )


def test_wide_characters_do_not_shift_columns():
    lines = table(("N", "S"), [("模型", "1"), ("abcd", "2")]).splitlines()
    assert lines[1] == "模型    1    "
    assert lines[2] == "abcd    2    "


def test_names_cannot_send_escape_sequences_to_the_terminal():
    assert "\x1b" not in table(("N",), [("a\x1b[2Jb\nc",)])
    assert "\x1b" not in section("T", [("\x1b]0;x\x07",)])


def test_a_row_has_name_id_size_and_age():
    assert list_rows([MODEL], NOW) == [
        ("seedling:latest", "d00709975933", "4.8 MB", "2 minutes ago")
    ]


def test_the_size_of_a_remote_model_is_unknown():
    assert list_rows([MODEL | {"remote_model": "x"}], NOW)[0][2] == "-"


def test_a_loaded_model_has_a_processor_a_context_and_an_expiry():
    loaded = MODEL | {
        "size_vram": 0,
        "context_length": 4096,
        "expires_at": "2026-11-21T12:04:30.18620044Z",
    }
    rows = ps_rows([loaded], NOW)
    assert dict(zip(PS_HEADER, rows[0], strict=True)) == {
        "NAME": "seedling:latest",
        "ID": "d00709975933",
        "SIZE": "4.8 MB",
        "PROCESSOR": "100% CPU",
        "CONTEXT": "4096",
        "UNTIL": "4 minutes from now",
    }


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2026-11-21T11:59:59Z", "Stopping..."),
        ("2319-03-04T00:00:00Z", "Forever"),
        ("2026-11-21T14:00:00+01:00", "About an hour from now"),
    ],
)
def test_the_expiry_is_said_in_words(time, text):
    assert ps_rows([{"expires_at": time}], NOW)[0][5] == text


@pytest.mark.parametrize(
    ("size", "vram", "text"),
    [
        (100, 0, "100% CPU"),
        (100, 100, "100% GPU"),
        (100, 52, "48%/52% CPU/GPU"),
        (100, 101, "Unknown"),
        (0, 5, "Unknown"),
    ],
)
def test_the_processor_is_where_the_bytes_are(size, vram, text):
    assert processor(size, vram) == text


def test_list_shows_the_models_whose_names_begin_with_the_prefix(actorllm, server):
    server.on("GET", "/api/tags", {"models": [MODEL, MODEL | {"name": "other:1b"}]})
    assert "other:1b" in actorllm("ls").out
    out = actorllm("list", "SEED").out
    assert "seedling" in out
    assert "other" not in out


def test_an_empty_list_is_a_header(actorllm, server):
    server.on("GET", "/api/tags", {"models": None})
    server.on("GET", "/api/ps", {"models": []})
    assert actorllm("list").out == "NAME    ID    SIZE    MODIFIED \n"
    assert actorllm("ps").out == "NAME    ID    SIZE    PROCESSOR    CONTEXT    UNTIL \n"


def test_stop_unloads_a_model(actorllm, server):
    server.on("POST", "/api/generate", {"done": True})
    assert actorllm("stop", "m").status == 0
    assert server.bodies("/api/generate") == [{"model": "m", "keep_alive": 0, "stream": False}]


def test_stopping_an_unknown_model_is_an_error(actorllm, server):
    server.on("POST", "/api/generate", {"error": "model 'm' not found"}, 404)
    result = actorllm("stop", "m")
    assert (result.status, result.err) == (1, "Error: couldn't find model 'm' to stop\n")


def test_cp_copies(actorllm, server):
    server.on("POST", "/api/copy", b"")
    assert actorllm("cp", "a", "b").out == "copied 'a' to 'b'\n"
    assert server.bodies("/api/copy") == [{"source": "a", "destination": "b"}]


def test_rm_unloads_and_deletes_each_model(actorllm, server):
    server.on("DELETE", "/api/delete", b"")
    assert actorllm("rm", "a", "b").out == "deleted 'a'\ndeleted 'b'\n"
    assert server.bodies("/api/delete") == [{"model": "a"}, {"model": "b"}]


def test_what_the_server_refuses_is_one_line_without_control_characters(actorllm, server):
    server.on("POST", "/api/copy", {"error": "bad\x1b[31m\nname"}, 400)
    result = actorllm("cp", "a", "b")
    assert (result.status, result.err) == (1, "Error: bad[31m name\n")


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'"x"'])
def test_what_is_no_json_object_is_an_error(actorllm, server, answer):
    server.on("GET", "/api/tags", answer)
    result = actorllm("list")
    assert result.status == 1
    assert result.err.startswith("Error: the server's answer is not")
    assert result.err.endswith("is it an actorllm server? ACTORLLM_HOST chooses another one\n")


@pytest.mark.parametrize("page", [b"<html>404</html>", b"[404]", b'{"detail": "Not Found"}', b""])
@pytest.mark.parametrize("command", [["ps"], ["show", "m"], ["run", "m", "x"], ["pull", "m"]])
def test_a_refusal_of_another_program_says_so_in_one_line(actorllm, server, command, page):
    for method, path in (("GET", "ps"), ("POST", "show"), ("POST", "pull")):
        server.on(method, f"/api/{path}", page, 404)
    result = actorllm(*command)
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert f"{server.address}/api/" in result.err
    assert " answered 404 Not Found; is it an actorllm server? " in result.err
    assert server.bodies("/api/pull") == ([{"model": "m"}] if command[0] == "pull" else [])


@pytest.mark.parametrize("command", [["ps"], ["tree"], ["show", "m"], ["run", "m", "x"]])
def test_a_program_that_takes_connections_and_says_nothing_is_not_waited_for_for_ever(
    actorllm, environment, command
):
    environment.setattr("actorllm.cli.client.ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment.setenv("ACTORLLM_HOST", f"127.0.0.1:{silent.getsockname()[1]}")
        result = actorllm(*command)
    assert result.status == 1
    assert " takes connections but said nothing for 0.1 s; is it an actorllm s" in result.err
