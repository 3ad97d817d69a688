"""`run` on a terminal: the real prompt, keys and all."""

import itertools
import threading
import time

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def model(server, environment):
    server.on("POST", "/api/show", {"capabilities": ["completion", "thinking"]})
    server.on("POST", "/api/generate", {"done": True, "done_reason": "load"})
    server.on("POST", "/api/chat", answer("Yes, it is."))
    environment.setenv("ACTORLLM_HOST", server.address)
    return server


def answer(*texts, thinking=""):
    thought = [{"message": {"thinking": thinking}}] if thinking else []
    said = [{"message": {"content": text}} for text in texts]
    return [*thought, *said, {"message": {"content": ""}, "done": True}]


def said(server):
    return [body["messages"][-1]["content"] for body in server.bodies("/api/chat")]


def test_a_conversation_is_held_and_left_by_control_d(model):
    model.on("POST", "/api/chat", answer("Yes, ", "it is.", thinking="Hm."))
    with Terminal("run", "m") as terminal:
        terminal.expect("Send a message (/? for help)")
        terminal.type("Is it?\r")
        terminal.expect("Thinking...\r\nHm.\r\n...done thinking.\r\n\r\nYes, it is.\r\n")
        terminal.expect(">>> ")
        terminal.type("\x04")
        assert terminal.status() == 0
        assert "\x1b[90mThinking...\r\nHm.\r\n...done thinking.\x1b[0m" in terminal.raw
    assert said(model) == ["Is it?"]


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_come_only_where_they_are_wanted(model, environ):
    model.on("POST", "/api/generate", [{"thinking": "Hm."}, {"response": "Yes.", "done": True}])
    root = {"path": "/", "state": "running", "children": []}
    model.on("GET", "/api/actors", {"root": root})
    for arguments in (["run", "m", "Is it?"], ["tree"]):
        with Terminal(*arguments, **environ) as terminal:
            assert terminal.status() == 0
            assert "\x1b[3" not in terminal.raw
            assert "\x1b[90m" not in terminal.raw


def test_a_terminal_that_cannot_erase_gets_no_wrapped_words(model):
    model.on("POST", "/api/generate", [{"response": "several words " * 9, "done": True}])
    with Terminal("run", "m", "Go on.", columns=40, TERM="dumb") as terminal:
        assert terminal.status() == 0
        assert "several words " * 9 in terminal.raw
        assert "\x1b" not in terminal.raw


def test_keys_edit_the_line(model):
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("wrong words\x15is it\x01Now \x05?\r")
        terminal.expect("Yes, it is.")
        terminal.expect(">>> ")
        terminal.type("one\ntwo\r")  # Ctrl-j is a new line, Enter sends
        terminal.expect("Yes, it is.")
        terminal.expect(">>> ")
        terminal.type("/bye\r")
        assert terminal.status() == 0
    assert said(model) == ["Now is it?", "one\ntwo"]


def test_pasted_lines_are_one_message(model):
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("\x1b[200~first\nsecond\x1b[201~")
        terminal.expect("second")
        terminal.type("\r")
        terminal.expect("Yes, it is.")
    assert said(model) == ["first\nsecond"]


def test_three_quotes_ask_for_more_lines(model):
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type('"""first\r')
        terminal.expect("... ")
        terminal.expect("Press Enter to send")
        terminal.type('second"""\r')
        terminal.expect("Yes, it is.")
    assert said(model) == ["first\nsecond"]


def test_the_history_lasts_and_belongs_to_its_owner(model, tmp_path):
    for line in ("/set nohistory\rsecret\r", "\x10\x10\r"):
        with Terminal("run", "m") as terminal:
            terminal.expect(">>> ")
            if line.startswith("/"):
                terminal.type("Is it?\r")
                terminal.expect("Yes, it is.")
            terminal.type(line)
            terminal.expect("Yes, it is.")
    history = tmp_path / "state" / "history"
    assert said(model) == ["Is it?", "secret", "Is it?"]
    assert "secret" not in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_control_c_at_the_prompt_says_how_to_leave(model):
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("half a message\x03")
        terminal.expect("Use Ctrl + d or /bye to exit.")
        terminal.expect(">>> ")
        terminal.type("\x04")
        assert terminal.status() == 0


def test_control_c_breaks_off_an_answer_and_the_conversation_goes_on(model):
    def endless(_):
        for _ in itertools.count():
            yield {"message": {"content": "and so on "}}
            time.sleep(0.01)

    model.on("POST", "/api/chat", endless)
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("Tell me.\r")
        terminal.expect("and so on")
        terminal.type("\x03")
        assert model.broken_off.wait(20)
        model.on("POST", "/api/chat", answer("Yes, it is."))
        terminal.expect(">>> ")
        terminal.type("Is it?\r")
        terminal.expect("Yes, it is.")
    roles = [message["role"] for message in model.bodies("/api/chat")[1]["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_what_is_typed_during_the_load_waits_for_its_end(model):
    asked, go_on = threading.Event(), threading.Event()

    def load(_):
        asked.set()
        go_on.wait(20)
        return {"done": True}

    model.on("POST", "/api/generate", load)
    with Terminal("run", "m") as terminal:
        assert asked.wait(20)
        terminal.type("Is it?\r")
        go_on.set()
        terminal.expect(">>> Is it?")
        terminal.expect("Yes, it is.")
    assert said(model) == ["Is it?"]


def test_what_is_typed_during_an_answer_waits_for_its_end(model):
    go_on = threading.Event()

    def slow(_):
        yield {"message": {"content": "Well"}}
        go_on.wait(20)
        yield from answer(", yes.")

    model.on("POST", "/api/chat", slow)
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("Is it?\r")
        terminal.expect("Well")
        terminal.type("And now?\r")
        go_on.set()
        terminal.expect(", yes.\r\n\r\n")
        terminal.expect(">>> ")
        terminal.expect("Well, yes.")
        assert terminal.seen.count("Well, yes.") == 2
    assert said(model) == ["Is it?", "And now?"]


def test_words_are_wrapped_and_control_characters_dropped(model):
    model.on("POST", "/api/generate", [{"response": "\x1b[2Jaaaa bbbb cccc"}, {"done": True}])
    with Terminal("run", "m", "x", columns=12) as terminal:
        assert terminal.status() == 0
        assert "[2Jaaaa bbb\x1b[3D\x1b[K\r\nbbbb cccc\r\n" in terminal.raw
        assert "\x1b[2J" not in terminal.raw


def test_the_editor_edits_the_message(model, tmp_path, environment):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "from the editor" > "$1"\n')
    editor.chmod(0o700)
    environment.setenv("ACTORLLM_EDITOR", str(editor))
    with Terminal("run", "m") as terminal:
        terminal.expect(">>> ")
        terminal.type("\x07")
        terminal.expect("from the editor")
        terminal.type("\r")
        terminal.expect("Yes, it is.")
    assert said(model) == ["from the editor"]


def test_a_pull_draws_bars(model):
    steps = [
        {"status": "pulling manifest"},
        {"status": "pulling abc", "total": 1000, "completed": 500},
        {"status": "pulling abc", "total": 1000, "completed": 1000},
        {"status": "success"},
    ]
    model.on("POST", "/api/pull", steps)
    with Terminal("pull", "m") as terminal:
        assert terminal.status() == 0
        assert "100%" in terminal.seen
        assert "success" in terminal.seen
