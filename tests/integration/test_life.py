"""The daemon as a process: what it shows of itself, how it starts, how it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import httpx
import psutil
import pytest

from tests.integration.daemon import TIMEOUT, Daemon, eventually
from tests.integration.streams import body_of

ENDS_WITHIN = 3.0


def test_the_live_tree_shows_every_actor(daemon: Daemon):
    daemon.assert_works()
    actors = daemon.actors()
    assert set(actors) >= {
        "/", "/blobs", "/library", "/builder", "/downloader", "/uploader", "/scheduler", "/queue",
        "/prompts", "/edge",
    }  # fmt: skip
    (runner,) = [p for p in actors if p.startswith("/scheduler/seedling")]
    assert actors[runner]["kind"] == "process"
    assert psutil.pid_exists(actors[runner]["info"]["pid"])
    assert all(a["state"] == "running" for a in actors.values())
    assert daemon.counters()["dead_letters"] == 0
    assert actors["/edge"]["info"]["listening"] == [daemon.url.removeprefix("http://")]


def serve(environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Start a daemon that ends by itself, since it cannot run."""
    return subprocess.run(
        [sys.executable, "-m", "actorllm.cli.main", "serve", *options],
        env=environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_an_address_in_use_is_said_in_one_line(daemon: Daemon, tmp_path):
    environ = daemon.environ | {
        "ACTORLLM_HOST": daemon.url.removeprefix("http://"),
        "ACTORLLM_STATE": str(tmp_path),
    }
    second = serve(environ)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert "Address already in use" in line
    assert "ACTORLLM_HOST" in line
    assert not (tmp_path / "daemon.json").exists()


def test_a_second_daemon_on_the_same_state_is_refused_in_one_line(daemon: Daemon):
    environ = daemon.environ | {"ACTORLLM_HOST": "127.0.0.1:0"}
    second = serve(environ)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert f"a daemon (process {daemon.process.pid}) runs at {daemon.url} already" in line
    assert json.loads((daemon.state / "daemon.json").read_text())["url"] == daemon.url


def test_a_folder_of_models_that_cannot_be_written_to_is_said_in_one_line(tmp_path):
    models = tmp_path / "file" / "models"
    models.parent.touch()
    environ = {"ACTORLLM_MODELS": str(models), "ACTORLLM_STATE": str(tmp_path / "state")}
    done = serve(os.environ | environ, "--host", "127.0.0.1:0", "--quiet")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: cannot write to the models in {models}: Not a directory; set ACTORLLM_MODELS to a "
        "folder of your own, and ACTORLLM_MODELS_READONLY to one that you can only read\n"
    )


def end(daemon: Daemon, by: signal.Signals = signal.SIGTERM) -> float:
    """Terminate a daemon; check that all is gone. Returns the seconds that it took."""
    family = daemon.family()
    began = time.monotonic()
    daemon.process.send_signal(by)
    assert daemon.process.wait(ENDS_WITHIN) == 0, daemon.log
    took = time.monotonic() - began
    assert family
    eventually(lambda: not [p for p in family if p.is_running()], within=0.5)
    assert not (daemon.state / "daemon.json").exists()
    return took


def test_an_idle_daemon_ends_when_told_to(
    start: Callable[..., Daemon], tell: Callable[[str], None]
):
    daemon = start()
    daemon.assert_works()
    tell(f"an idle daemon ended in {end(daemon):.2f} s")


def test_a_daemon_ends_in_order_when_its_terminal_is_closed(start: Callable[..., Daemon]):
    daemon = start()
    daemon.assert_works()
    end(daemon, signal.SIGHUP)
    assert "ended" in daemon.log


def test_a_busy_daemon_ends_when_told_to(start: Callable[..., Daemon], tell: Callable[[str], None]):
    daemon = start(ACTORLLM_STOP_GRACE="0s")
    daemon.assert_works()
    begun = threading.Barrier(5)

    def follow(seed: int) -> None:
        body = body_of(seed, num_predict=5000)
        try:
            with httpx.stream("POST", f"{daemon.url}/api/generate", json=body) as stream:
                for n, _ in enumerate(stream.iter_lines()):
                    if n == 0:
                        begun.wait(TIMEOUT)
        except httpx.HTTPError:
            return  # it was cut

    clients = [threading.Thread(target=follow, args=(seed,)) for seed in (43, 50, 60, 85)]
    for client in clients:
        client.start()
    begun.wait(TIMEOUT)
    took = end(daemon)
    for client in clients:
        client.join(TIMEOUT)
        assert not client.is_alive()
    tell(f"a daemon with four streams ended in {took:.2f} s")


def test_nothing_is_left_when_the_daemon_is_killed(start: Callable[..., Daemon]):
    daemon = start()
    daemon.assert_works()
    family = daemon.family()
    assert family
    daemon.process.kill()
    daemon.process.wait()
    eventually(lambda: not [p for p in family if p.is_running()], within=5)


@pytest.mark.parametrize(
    ("name", "value"), [("ACTORLLM_NUM_PARALLEL", "many"), ("ACTORLLM_HOST", "http://[::1")]
)
def test_a_setting_that_cannot_be_used_is_said_in_one_line(tmp_path, name: str, value: str):
    done = subprocess.run(
        [sys.executable, "-m", "actorllm.cli.main", "serve"],
        env={"PATH": "/usr/bin:/bin", "ACTORLLM_STATE": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert name in line
