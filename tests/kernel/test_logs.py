import io
import json
import logging

import pytest
import structlog

from actorllm.actors.kernel.logs import configure_logs


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
