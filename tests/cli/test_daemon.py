"""How a command finds the daemon and starts it; a small server stands in for the daemon itself."""

import os
import signal
import socket
import stat
import subprocess
import sys

import pytest

# Loaded by the interpreter at its start, from PYTHONPATH.
STAND_IN = """
import os, sys, types
from pathlib import Path

def main(make_app, *, host, faults, quiet):
    from http.server import BaseHTTPRequestHandler, HTTPServer
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = b'{"version": "0.33.0+actorllm.0.1.0", "models": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        def log_message(self, *_): pass
    state = Path(os.environ["ACTORLLM_STATE"])
    if os.environ.get("STAND_IN_FAILS"):
        print("Error: the address is taken", file=sys.stderr)
        return 1
    name, _, port = os.environ["ACTORLLM_HOST"].partition(":")
    server = HTTPServer((name, int(port)), Handler)
    print("models in", os.environ["ACTORLLM_MODELS"], "session", os.getsid(0), flush=True)
    (state / f"pid-{os.getpid()}").touch()
    server.serve_forever()

for name in ("actors.daemon", "http.app"):
    module = types.ModuleType(f"actorllm.{name}")
    module.main, module.create_app = main, None
    sys.modules[module.__name__] = module
"""


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def environ(environment, tmp_path, state):
    """An environment in which `serve` runs the stand-in, at an address where nothing listens."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(STAND_IN)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield os.environ | {
        "ACTORLLM_HOST": f"127.0.0.1:{port}",
        "ACTORLLM_MODELS": "models",
        "PYTHONPATH": str(tmp_path / "path"),
    }
    for file in state.glob("pid-*"):
        os.kill(int(file.name.removeprefix("pid-")), signal.SIGKILL)


def command(environ, folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "actorllm.cli.main", *arguments],
        env=environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_command_starts_the_daemon_which_outlives_it(environ, state, tmp_path):
    with command(environ, tmp_path, "list") as first:
        out, err = first.communicate(timeout=30)
    log = state / "daemon.log"
    assert (first.returncode, out) == (0, "NAME    ID    SIZE    MODIFIED \n")
    assert err == f"actorllm: started the daemon (log: {state / 'actorllm.log'})\n"
    (pid,) = [int(file.name.removeprefix("pid-")) for file in state.glob("pid-*")]
    assert log.read_text() == f"models in {tmp_path / 'models'} session {pid}\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700

    with command(environ, tmp_path, "list") as second:
        assert second.communicate(timeout=30)[1] == ""


def test_two_commands_at_once_start_one_daemon(environ, state, tmp_path):
    commands = [command(environ, tmp_path, "ps") for _ in range(2)]
    errors = [child.communicate(timeout=30)[1] for child in commands]
    assert [child.returncode for child in commands] == [0, 0]
    assert sorted(map(bool, errors)) == [False, True]
    assert len(list(state.glob("pid-*"))) == 1


def test_a_daemon_that_ends_at_once_is_an_error_with_its_last_words(environ, state, tmp_path):
    with command(environ | {"STAND_IN_FAILS": "1"}, tmp_path, "list") as child:
        _, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert err == (
        f"Error: the daemon ended at once: the address is taken (log: {state / 'daemon.log'})\n"
    )


def test_a_long_log_is_put_aside(environ, state, tmp_path):
    state.mkdir()
    with (state / "daemon.log").open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    with command(environ, tmp_path, "list") as child:
        child.communicate(timeout=30)
    assert child.returncode == 0
    assert (state / "daemon.log").stat().st_size < 1000
    assert (state / "daemon.log.1").stat().st_size == 11 * 1024 * 1024


def test_no_daemon_is_started_for_a_server_elsewhere(actorllm, environment, state):
    environment.setenv("ACTORLLM_HOST", "no-such-host.invalid")
    assert actorllm("list").status == 1
    assert not state.exists()


def test_a_state_folder_that_cannot_be_made_is_an_error(actorllm, environment, tmp_path):
    (tmp_path / "file").touch()
    environment.setenv("ACTORLLM_HOST", "127.0.0.1:1")
    environment.setenv("ACTORLLM_STATE", str(tmp_path / "file" / "state"))
    result = actorllm("list")
    assert result.status == 1
    assert result.err.startswith("Error: cannot start the daemon: Not a directory")


def test_port_zero_cannot_be_reached(actorllm, environment):
    environment.setenv("ACTORLLM_HOST", "127.0.0.1:0")
    assert "has the port 0" in actorllm("list").err
