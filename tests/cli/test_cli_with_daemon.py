"""The command line and the real daemon, with the model that comes with the package."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.terminal import Terminal

MODEL = "seedling"
SECONDS = 60


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon on any free port; the environment for its clients."""
    state = tmp_path_factory.mktemp("daemon")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ACTORLLM_", "OLLAMA_"))}
    environ |= {"ACTORLLM_STATE": str(state), "ACTORLLM_HOST": "127.0.0.1:0", "TERM": "xterm"}
    with (state / "output").open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "actorllm.cli.main", "serve"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    announced = state / "daemon.json"
    end = time.monotonic() + SECONDS
    while not announced.exists() or not announced.read_text():
        assert child.poll() is None, (state / "output").read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    yield environ | {"ACTORLLM_HOST": json.loads(announced.read_text())["url"]}
    child.send_signal(signal.SIGTERM)
    assert child.wait(SECONDS) == 0, (state / "output").read_text()


@pytest.fixture
def actorllm(daemon, tmp_path):
    def run(*arguments, stdin=""):
        done = subprocess.run(
            [sys.executable, "-m", "actorllm.cli.main", *arguments],
            env=daemon,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_version_is_told(actorllm):
    assert actorllm("--version").startswith("actorllm version is ")


def test_a_model_is_listed_shown_run_and_stopped(actorllm):
    assert f"{MODEL}:latest" in actorllm("list")
    assert "    completion    \n" in actorllm("show", MODEL)
    assert actorllm("run", "--think=false", MODEL, "What is the capital of France?").strip()
    assert f"{MODEL}:latest" in actorllm("ps")
    actorllm("stop", MODEL)


def test_a_model_is_created_copied_and_removed(actorllm, tmp_path):
    (tmp_path / "Modelfile").write_text(f"FROM {MODEL}\nSYSTEM Be brief.\nPARAMETER seed 7\n")
    actorllm("create", "mine")
    assert actorllm("show", "--system", "mine") == "Be brief.\n"
    actorllm("cp", "mine", "yours")
    assert "yours:latest" in actorllm("list", "yours")
    assert actorllm("rm", "mine", "yours") == "deleted 'mine'\ndeleted 'yours'\n"
    assert "mine" not in actorllm("list", "mine")


def test_the_tree_shows_the_actors(actorllm):
    tree = actorllm("tree")
    for name in ("blobs", "library", "scheduler", "queue", "edge"):
        assert f"─ {name} " in tree


def test_a_conversation_remembers_what_was_said(daemon):
    with Terminal("run", "--think=false", MODEL, **daemon) as terminal:
        terminal.expect("Send a message")
        terminal.type("/set parameter num_predict 8\r")
        terminal.expect("to '8'")
        for question in ("Hello!", "And again?"):
            terminal.type(f"{question}\r")
            terminal.expect(question)
            terminal.expect("Send a message")
        terminal.type("/show info\r")
        terminal.expect("architecture")
        terminal.expect("Send a message")  # a prompt discards what was typed before it was there
        terminal.type("/bye\r")
        assert terminal.status() == 0


def test_commands_start_the_daemon(tmp_path, daemon):
    port = 20_000 + os.getpid() % 20_000
    environ = daemon | {
        "ACTORLLM_HOST": f"127.0.0.1:{port}",
        "ACTORLLM_STATE": str(tmp_path / "state"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "actorllm.cli.main", "list"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("actorllm: started the daemon (log: ")
        assert f"{MODEL}:latest" in done.stdout
    finally:
        announced = tmp_path / "state" / "daemon.json"
        if announced.exists():
            os.kill(json.loads(announced.read_text())["pid"], signal.SIGTERM)
