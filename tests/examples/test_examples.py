"""The examples run as they stand, against a real daemon."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
REQUESTS = re.compile(r"^```sh\n(curl (?:.*\n)*?)```$", re.MULTILINE)
PYTHON = (sys.executable, "-W", "error")
SECONDS = 60


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("daemon"))
    yield daemon.wait()
    daemon.stop()


@pytest.fixture
def example(daemon, tmp_path):
    """Run an example in an empty folder, and return what it prints."""

    def run(*command, file, arguments=(), needs=""):
        missing = [tool for tool in (command[0], needs) if tool and not shutil.which(tool)]
        if missing:
            pytest.skip(f"there is no {missing[0]} on this machine")
        done = subprocess.run(
            [*command, str(EXAMPLES / file), *arguments],
            cwd=tmp_path,
            env=os.environ | {"ACTORLLM_HOST": daemon.url},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_trio_asks_several_questions_at_once(example):
    told = example(*PYTHON, file="chat_trio.py")
    for question in (
        "why is the sky blue?",
        "What is the capital of Japan?",
        "What is the capital of France?",
    ):
        assert f"{question}\n    " in told


def test_asyncio_saves_an_answer_with_aiofiles(example, tmp_path):
    assert example(*PYTHON, file="chat_aiofiles.py", arguments=("a.txt",)) == "saved to a.txt\n"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").strip()


def test_javascript_streams_an_answer(example):
    assert example("node", file="chat.mjs", arguments=("What is the capital of Japan?",)).strip()


def test_curl_asks_chats_and_makes_a_model(example, daemon):
    told = example("bash", file="curl.sh", needs="curl")
    assert '"done":true' in told
    assert "data: [DONE]" in told
    assert '{"status":"success"}' in told
    names = [model["name"] for model in daemon.client.get("/api/tags").json()["models"]]
    assert names == ["seedling:latest"]


@pytest.mark.parametrize(
    "page", ["README.md", "how-to/get-the-same-bytes.md", "reference/http-api.md"]
)
def test_the_requests_of_a_page_are_answered(daemon, page):
    if not shutil.which("curl"):
        pytest.skip("there is no curl on this machine")
    text = (ROOT / page if page == "README.md" else ROOT / "docs" / page).read_text("utf-8")
    requests = REQUESTS.findall(text)
    assert requests
    for request in requests:
        here = re.sub(r"(http://)?127\.0\.0\.1:11434", daemon.url, request)
        done = subprocess.run(
            ["bash", "-c", here.replace("curl ", "curl --fail-with-body -sS ")],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert '"model":"seedling"' in done.stdout
