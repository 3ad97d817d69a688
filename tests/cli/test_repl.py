import contextlib

import pytest

from actorllm.cli.client import Client
from actorllm.cli.commands import Commands
from actorllm.cli.repl import Repl
from actorllm.cli.session import Session
from actorllm.protocol.address import Address

SHOWN = {
    "capabilities": ["completion"],
    "license": "MIT",
    "modelfile": "FROM x",
    "parameters": "temperature 0",
    "template": "{{ .Prompt }}",
    "details": {"family": "llama"},
}


class Lines:
    """A reader of prepared lines; an exception among them is raised."""

    def __init__(self, lines):
        self.lines = iter(lines)
        self.more = []
        self.kept = None

    def read(self, *, more=False):
        self.more.append(more)
        line = next(self.lines, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    def keep_history(self, keep):
        self.kept = keep

    def answering(self):
        return contextlib.nullcontext()


@pytest.fixture
def session():
    return Session(model="m")


@pytest.fixture
def talk(server, session, capsys):
    server.on("POST", "/api/show", SHOWN)
    server.on("POST", "/api/generate", {"done": True, "done_reason": "load"})
    answer = {"message": {"role": "assistant", "content": "Yes."}}
    server.on("POST", "/api/chat", [answer, {"message": {"content": ""}, "done": True}])
    client = Client(Address.parse(server.address))

    def run(*lines):
        reader = lines[0] if isinstance(lines[0], Lines) else Lines(lines)
        Repl(client, session, Commands(client, session), reader).run()
        return "".join(capsys.readouterr())

    return run


def test_messages_and_answers_make_a_conversation(talk, server, session):
    assert talk("Is it?", "  ", "Really?") == "Yes.\n\nYes.\n\n"
    assert server.bodies("/api/chat")[1] == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "Is it?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Really?"},
        ],
    }
    assert len(session.messages) == 4


def test_three_quotes_hold_a_message_of_several_lines(talk, session):
    lines = Lines(['"""one', "two", 'three"""', '"""all in one line"""'])
    talk(lines)
    assert session.messages[0]["content"] == "one\ntwo\nthree"
    assert session.messages[2]["content"] == "all in one line"
    assert lines.more == [False, True, True, False, False]


def test_an_interrupt_at_the_prompt_says_how_to_leave_and_drops_the_message(talk, session):
    assert talk('"""begun', KeyboardInterrupt(), "Is it?") == (
        "\nUse Ctrl + d or /bye to exit.\nYes.\n\n"
    )
    assert session.messages[0]["content"] == "Is it?"


@pytest.mark.parametrize("command", ["/bye", "/exit"])
def test_bye_leaves(talk, server, command):
    assert talk(command, "never read") == ""
    assert server.bodies("/api/chat") == []


def test_an_unknown_command_points_to_the_help(talk):
    assert talk("/nonsense now") == "Unknown command '/nonsense'. Type /? for help\n"
    assert talk("/set nonsense") == "Unknown command '/set nonsense'. Type /? for help\n"
    assert talk("/show nonsense") == "Unknown command '/show nonsense'. Type /? for help\n"


@pytest.mark.parametrize("command", ["/?", "/help", "/? set", "/help show", "/? shortcuts", "/set"])
def test_there_is_help(talk, command):
    assert talk(command).splitlines()[0].endswith(":")


def test_the_system_message_comes_first(talk, server):
    assert talk("/set system Be kind.", "Is it?").startswith("Set system message.\n")
    assert server.bodies("/api/chat")[0]["messages"][0] == {
        "role": "system",
        "content": "Be kind.",
    }


def test_a_system_message_may_have_several_lines(talk, session):
    talk('/set system """Be kind.', 'Be brief."""')
    assert session.system == "Be kind.\nBe brief."


def test_parameters_are_typed_and_sent(talk, server):
    out = talk(
        "/set parameter temperature 0.5",
        "/set parameter num_ctx 512",
        "/set parameter stop a b",
        "Is it?",
    )
    assert out.startswith(
        "Set parameter 'temperature' to '0.5'\n"
        "Set parameter 'num_ctx' to '512'\n"
        "Set parameter 'stop' to 'a, b'\n"
    )
    options = {"temperature": 0.5, "num_ctx": 512, "stop": ["a", "b"]}
    assert server.bodies("/api/chat")[0]["options"] == options


def test_bad_parameters_change_nothing(talk, session):
    assert talk("/set parameter num_ctx many") == "Error: invalid int value [many]\n"
    assert talk("/set parameter nonsense 1") == "Error: unknown parameter 'nonsense'\n"
    assert "/set parameter seed <int>" in talk("/set parameter")
    assert session.options == {}


def test_the_format_is_switched_on_and_off(talk, session):
    assert talk("/set format json") == "Set format to 'json' mode.\n"
    assert session.format == "json"
    assert talk("/set noformat") == "Disabled format.\n"
    assert session.format == ""
    assert "/set format json" in talk("/set format yaml")


def test_thinking_is_switched(talk, session):
    assert talk("/set think") == "Set 'think' mode.\n"
    assert session.think is True
    assert talk("/set think high") == "Set 'think' mode to 'high'.\n"
    assert session.think == "high"
    assert talk("/set nothink") == "Set 'nothink' mode.\n"
    assert session.think is False


def test_the_style_is_switched(talk, session):
    talk("/set nowordwrap", "/set verbose")
    assert (session.style.wordwrap, session.style.verbose) == (False, True)
    talk("/set wordwrap", "/set quiet")
    assert (session.style.wordwrap, session.style.verbose) == (True, False)


def test_the_history_is_switched(talk):
    lines = Lines(["/set nohistory"])
    assert talk(lines) == "Set 'nohistory' mode.\n"
    assert lines.kept is False


def test_clear_forgets_what_was_said(talk, session):
    assert talk("Is it?", "/clear").endswith("Cleared session context\n")
    assert session.messages == []


def test_load_goes_on_with_another_model(talk, server, session):
    server.on(
        "POST",
        "/api/show",
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
    )
    assert talk("Is it?", "/load other") == "Yes.\n\nLoading model 'other'\n>>> Hi\nHo\n"
    assert (session.model, session.messages) == ("other", [])
    assert server.bodies("/api/generate") == [{"model": "other", "prompt": "", "stream": False}]


def test_a_model_that_is_not_there_leaves_the_conversation_as_it_is(talk, server, session):
    server.on("POST", "/api/show", {"error": "model 'x' not found"}, 404)
    out = talk("Is it?", "/load x")
    assert out.endswith("Error: model 'x' not found; the conversation stays with 'm'\n")
    assert (session.model, len(session.messages)) == ("m", 2)


def test_save_makes_a_model_of_the_session(talk, server):
    server.on("POST", "/api/create", [{"status": "success"}])
    out = talk("/set system S", "/set parameter seed 1", "Is it?", "/save mine")
    assert out.endswith("Created new model 'mine'\n")
    assert server.bodies("/api/create") == [
        {
            "model": "mine",
            "from": "m",
            "system": "S",
            "parameters": {"seed": 1},
            "messages": [
                {"role": "user", "content": "Is it?"},
                {"role": "assistant", "content": "Yes."},
            ],
        }
    ]


def test_show_prints_parts_of_the_model(talk):
    assert talk("/show info").startswith("  Model\n    architecture    llama")
    assert talk("/show license") == "MIT\n"
    assert talk("/show modelfile") == "FROM x\n"
    assert talk("/show template") == "{{ .Prompt }}\n"
    assert talk("/show system") == "There is no system message.\n"
    assert "temperature 0" in talk("/show parameters")
    assert "/show info" in talk("/show")


def test_list_shows_the_models(talk, server):
    server.on("GET", "/api/tags", {"models": [{"name": "m:latest"}]})
    assert "m:latest" in talk("/list")


def test_a_path_at_the_beginning_is_no_command(talk, session, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    session.capabilities = frozenset({"vision"})
    assert talk(f"{path} what is it?") == f"Added image '{path}'\nYes.\n\n"
    assert session.messages[0]["images"] == ["iVBORw0KGgo="]
    assert session.messages[0]["content"] == "what is it?"


def test_a_failed_question_is_told_and_forgotten(talk, server, session):
    server.on("POST", "/api/chat", {"error": "server busy"}, 503)
    assert talk("Is it?") == "Error: server busy\n"
    assert session.messages == []


def test_what_came_of_a_broken_answer_stays_in_the_conversation(talk, server, session):
    server.on("POST", "/api/chat", [{"message": {"content": "Ye"}}, {"error": "it died"}])
    assert talk("Is it?") == "Ye\nError: it died\n"
    assert session.messages[1] == {"role": "assistant", "content": "Ye"}
