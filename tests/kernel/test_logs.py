import io
import json
import logging

import pytest
import structlog

from actorllm.actors.kernel import Actor
from actorllm.actors.kernel.launch import ProcessLauncher
from actorllm.actors.kernel.logs import configure_logs
from actorllm.actors.kernel.testkit import actor_kit
from actorllm.protocol.codec import Ask, Value, message


class Console(io.StringIO):
    """A standard error that is a terminal, or is none."""

    def __init__(self, *, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


@pytest.fixture
def logged(monkeypatch):
    """Log an event to a console, and return what is written there."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level

    def log(*, is_terminal=True, **environ):
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.setenv(name, environ.get(name, ""))
        monkeypatch.setattr("sys.stderr", Console(is_terminal=is_terminal))
        configure_logs()
        structlog.get_logger().info("listening", url="http://127.0.0.1:11434")
        return root.handlers[0].stream.getvalue()

    yield log
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def test_a_terminal_gets_lines_for_people_in_colours(logged):
    line = logged()
    assert "\x1b[" in line
    assert "listening" in line


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_switched_off(logged, environ):
    line = logged(**environ)
    assert "\x1b[" not in line
    assert "listening" in line


def test_a_pipe_gets_json(logged):
    assert json.loads(logged(is_terminal=False))["event"] == "listening"


@message
class Pong(Value):
    pass


@message
class Ping(Ask[Pong]):
    pass


class Pinged(Actor):
    async def ping(self, m: Ping) -> Pong:
        return Pong()


@pytest.mark.parametrize(("level", "lines"), [(logging.DEBUG, ["Ping"]), (logging.INFO, [])])
async def test_each_message_is_a_line_for_those_who_debug(caplog, autojump_clock, level, lines):
    with caplog.at_level(level), structlog.testing.capture_logs() as logged:
        async with actor_kit(Pinged) as kit:
            await kit.ref.ask(Ping(), timeout=1)
    told = [event for event in logged if event["event"] == "message"]
    assert [event["message"] for event in told] == lines
    assert all(event["actor"] == "/subject" and event["trace"] for event in told)
    assert all(event["log_level"] == "debug" for event in told)


@pytest.mark.parametrize(("level", "said"), [(logging.DEBUG, "1"), (logging.INFO, "")])
async def test_a_child_process_debugs_as_its_parent_does(caplog, monkeypatch, level, said):
    monkeypatch.setenv("ACTORLLM_DEBUG", "0")
    passed = []

    async def refuse(*_, env, **__):
        passed.append(env["ACTORLLM_DEBUG"])
        raise OSError("no process is needed here")

    monkeypatch.setattr("trio.lowlevel.open_process", refuse)
    with caplog.at_level(level), pytest.raises(OSError, match="no process"):
        await ProcessLauncher().launch("/x")
    assert passed == [said]
