"""The command and the real daemon, in small figures."""

import json
from pathlib import Path

import pytest

from actorllm.cli.bench import workloads
from actorllm.cli.bench.command import _NAMES
from actorllm.cli.main import main
from tests.bench.models import create
from tests.cli.conftest import Result
from tests.engine.weights import make_model
from tests.integration.daemon import Daemon

ENGINE = Path(__file__).parents[2] / "engine"
SMALL = ("--prompt-tokens", "60", "--tokens", "12", "--rounds", "1", "--seed", "7")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("daemon"))
    yield daemon.wait()
    daemon.stop()


@pytest.fixture
def bench(daemon, capsys):
    def run(*arguments, model="seedling"):
        status = main(["bench", model, "--url", daemon.url, *SMALL, *arguments])
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def measured(bench):
    """Run, and return the medians by case and figure."""

    def run(*arguments, **model):
        done = bench(*arguments, "--json", **model)
        assert done.status == 0, done.err
        told = json.loads(done.out)
        cases = {
            case["streams"]: {f["name"]: f["servers"][0] for f in case["figures"]}
            for case in told["cases"]
        }
        return told, cases

    return run


def test_the_command_line_names_all_workloads():
    assert tuple(workloads.WORKLOADS) == _NAMES


@pytest.mark.parametrize("api", ["ollama", "openai"])
def test_streams_are_measured_through_both_apis(measured, api):
    told, cases = measured("--api", api, "--streams", "1,2")
    assert told["seed"] == 7
    assert told["servers"][0]["api"] == api
    assert told["servers"][0]["model"]["name"] == "seedling:latest"
    assert told["servers"][0]["prompt_tokens_counted"]
    for streams, figures in cases.items():
        assert 0 < figures["tokens generated"]["median"] <= 12 * streams
        assert figures["prompt tokens"]["median"] == pytest.approx(60 * streams, rel=0.2)
        assert figures["tokens/s in all"]["median"] > 0
        assert figures["time to first token"]["median"] > 0


def test_a_burst_with_one_system_prompt_is_measured(measured):
    _, cases = measured("--workload", "shared-prefix", "--streams", "3")
    assert cases[3]["wall time"]["median"] > 0
    assert cases[3]["prompt tokens"]["median"] > 3 * 60


def test_a_stall_is_measured(daemon, measured, tmp_path):
    create(daemon, "long", Path(make_model(tmp_path / "long.gguf", "F16")))  # it hardly ever ends
    told, cases = measured(
        *("--workload", "long-beside-short", "--prompt-tokens", "500", "--tokens", "6000"),
        model="long",
    )
    assert told["prompt_tokens"] == 500
    assert cases[1]["longest gap while a long prompt loads"]["median"] > 0
    assert cases[1]["prompt tokens"]["median"] == pytest.approx(500, rel=0.1)


def test_a_second_prompt_is_measured(measured):
    _, cases = measured("--workload", "second-prompt", "--prompt-tokens", "500")
    assert cases[1]["second over first"]["median"] < 1


@pytest.mark.parametrize("api", ["ollama", "openai"])
def test_embeddings_are_measured_through_both_apis(daemon, measured, monkeypatch, api):
    monkeypatch.setattr(workloads, "EMBED_TEXTS", 8)
    create(daemon, "bert", ENGINE / "tiny-bert.gguf")
    arguments = ("--workload", "embed", "--prompt-tokens", "6", "--streams", "4")
    _, cases = measured("--api", api, *arguments, model="bert")
    assert cases[4]["one request over one by one"]["median"] > 0
    assert cases[4]["least cosine to one by one"]["median"] > 0.9999


def test_two_apis_of_one_server_take_turns(daemon, bench):
    done = bench("--versus", daemon.url, "--versus-api", "openai", "--streams", "2")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert "A / B" in done.out
    assert any(line.startswith(f"A: {daemon.url} (ollama API") for line in lines)
    assert any(line.startswith(f"B: {daemon.url} (openai API") for line in lines)
    assert lines[-1].endswith("seed 7")


def test_another_name_of_the_same_weights_is_the_same_model(daemon, bench):
    reply = daemon.post("/api/create", model="other", **{"from": "seedling"}, stream=False)
    assert reply.status_code == 200, reply.text
    done = bench("--versus", daemon.url, "--versus-model", "other", "--streams", "1", "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["same_model"] == "same"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--prompt-tokens", "5000"), "context"),
        (("--versus", "127.0.0.1:1"), "no server answers at http://127.0.0.1:1"),
        (("--workload", "embed"), "embed"),
    ],
)
def test_what_the_server_refuses_is_one_line(bench, arguments, text):
    done = bench(*arguments)
    assert done.status == 1
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert text in done.err
    assert done.err.count("\n") == 1
