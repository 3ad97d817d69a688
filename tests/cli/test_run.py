import base64
import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

from actorllm.cli.answer import figures

PNG = b"\x89PNG\r\n\x1a\n..."
FINAL = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 1_352_100_000,
    "load_duration": 17_000,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 130_000_000,
    "eval_count": 259,
    "eval_duration": 4_232_710_000,
}


def says(*texts, **final):
    return [{"response": text, "done": False} for text in texts] + [
        {"response": "", **FINAL, **final}
    ]


@pytest.fixture
def model(server):
    server.on("POST", "/api/show", {"capabilities": ["completion"]})
    server.on("POST", "/api/generate", says("Hello", ", ", "you."))


def test_the_words_of_the_prompt_are_joined(actorllm, server, model):
    result = actorllm("run", "m", "why", "is it so?")
    assert (result.status, result.out, result.err) == (0, "Hello, you.\n", "")
    assert server.bodies("/api/generate") == [{"model": "m", "prompt": "why is it so?"}]


def test_what_is_piped_in_stands_before_the_prompt(actorllm, server, model):
    actorllm("run", "m", "Summarise it.", stdin="A text.\n")
    assert server.bodies("/api/generate")[0]["prompt"] == "A text.\n Summarise it."


def test_what_is_piped_in_alone_is_the_prompt(actorllm, server, model):
    actorllm("run", "m", stdin="A text.")
    assert server.bodies("/api/generate")[0]["prompt"] == "A text."


def test_control_characters_of_a_model_reach_a_pipe_unchanged(actorllm, server, model):
    server.on("POST", "/api/generate", says("\x1b[1m"))
    assert actorllm("run", "m", "x").out == "\x1b[1m\n"


def test_what_is_no_text_is_replaced(server, environment, model):
    server.on("POST", "/api/generate", says("a\ud800b"))
    environment.setenv("ACTORLLM_HOST", server.address)
    run = [sys.executable, "-m", "actorllm.cli.main", "run", "m"]
    done = subprocess.run(run, input=b"\xff!", capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"a?b\n", b"")
    assert server.bodies("/api/generate")[0]["prompt"] == "\ufffd!"
    done = subprocess.run(
        [*run, b"\xff"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.stderr == b"Error: an argument holds bytes that are no text in UTF-8\n"


def test_options_of_the_command_go_into_the_request(actorllm, server, model):
    schema = '{"type": "object"}'
    actorllm("run", "--keepalive", "10", "--format", schema, "--think=high", "m", "x")
    assert server.bodies("/api/generate") == [
        {
            "model": "m",
            "prompt": "x",
            "keep_alive": 10,
            "format": {"type": "object"},
            "think": "high",
        }
    ]


def test_the_format_json_is_sent_as_a_word(actorllm, server, model):
    actorllm("run", "--format", "json", "--keepalive", "5m", "m", "x")
    body = server.bodies("/api/generate")[0]
    assert (body["format"], body["keep_alive"]) == ("json", "5m")


@pytest.mark.parametrize(
    ("arguments", "think"),
    [(["--think"], True), (["--think=true"], True), (["--think=false"], False), ([], True)],
)
def test_a_model_that_can_think_does_unless_told_not_to(actorllm, server, model, arguments, think):
    server.on("POST", "/api/show", {"capabilities": ["completion", "thinking"]})
    actorllm("run", *arguments, "m", "x")
    assert server.bodies("/api/generate")[0]["think"] is think


def test_a_bare_think_does_not_swallow_the_next_word(actorllm, server, model):
    actorllm("run", "--think", "m", "--", "--think")
    assert server.bodies("/api/generate") == [{"model": "m", "prompt": "--think", "think": True}]


@pytest.mark.parametrize(
    "arguments", [["--think=perhaps"], ["--format", "yaml"], ["--keepalive"], ["--dimensions=0"]]
)
def test_a_bad_option_is_an_error_before_anything_is_asked(actorllm, server, model, arguments):
    result = actorllm("run", "m", "x", *arguments)
    assert result.status == 2
    assert f"{arguments[0].partition('=')[0]}'" in result.err.splitlines()[-1]
    assert server.bodies("/api/generate") == []


def test_thinking_is_framed(actorllm, server, model):
    items = [{"thinking": "\nHm", "response": ""}, {"thinking": ", yes", "response": ""}]
    server.on("POST", "/api/generate", items + says("Yes."))
    assert actorllm("run", "m", "x").out == ("Thinking...\nHm, yes\n...done thinking.\n\nYes.\n")
    assert actorllm("run", "--hidethinking", "m", "x").out == "Yes.\n"


def test_an_answer_that_is_only_thought_is_framed_too(actorllm, server, model):
    server.on("POST", "/api/generate", [{"thinking": "Hm"}, *says()])
    assert actorllm("run", "m", "x").out == "Thinking...\nHm\n...done thinking.\n\n"


def test_verbose_prints_figures_on_standard_error(actorllm, model):
    result = actorllm("run", "--verbose", "m", "x")
    assert result.out == "Hello, you.\n"
    assert result.err == (
        "total duration:       1.3521s\n"
        "load duration:        17µs\n"
        "prompt eval count:    26 token(s)\n"
        "prompt eval duration: 130ms\n"
        "prompt eval rate:     200.00 tokens/s\n"
        "eval count:           259 token(s)\n"
        "eval duration:        4.23271s\n"
        "eval rate:            61.19 tokens/s\n"
    )


def test_figures_that_are_missing_or_zero_are_left_out():
    assert figures({"done": True, "eval_count": 0, "load_duration": "x"}) == ""
    assert figures({"total_duration": 10**9}) == "total duration:       1s\n"


def test_an_error_in_the_midst_of_an_answer_ends_it(actorllm, server, model):
    server.on("POST", "/api/generate", [{"response": "Hel"}, {"error": "the runner died"}])
    result = actorllm("run", "m", "x")
    assert (result.status, result.out) == (1, "Hel\n")
    assert result.err == "Error: the runner died\n"


def test_images_in_the_prompt_go_to_a_model_that_sees(actorllm, server, model, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    actorllm("run", "m", f"What is {path} ?")
    server.on("POST", "/api/show", {"capabilities": ["completion", "vision"]})
    result = actorllm("run", "m", f"What is {path} ?")
    blind, seeing = server.bodies("/api/generate")
    assert "images" not in blind
    assert seeing["prompt"] == "What is  ?"
    assert [base64.b64decode(image) for image in seeing["images"]] == [PNG]
    assert result.err == f"Added image '{path}'\n"


def test_an_embedding_model_prints_its_vector(actorllm, server):
    server.on("POST", "/api/show", {"capabilities": ["embedding"]})
    server.on("POST", "/api/embed", {"embeddings": [[0.5, -0.25]]})
    result = actorllm("run", "--truncate", "false", "--dimensions", "2", "e", "some", "text")
    assert json.loads(result.out) == [0.5, -0.25]
    assert server.bodies("/api/embed") == [
        {"model": "e", "input": "some text", "truncate": False, "dimensions": 2}
    ]
    assert actorllm("run", "e").status == 1


def test_a_missing_model_is_pulled(actorllm, server, model):
    answers = iter([(404, {"error": "model 'm' not found"}), {"capabilities": ["completion"]}])
    server.on("POST", "/api/show", lambda _: next(answers))
    server.on("POST", "/api/pull", [{"status": "success"}])
    assert actorllm("run", "m", "x").out == "Hello, you.\n"
    assert server.bodies("/api/pull") == [{"model": "m"}]


def test_a_model_that_cannot_be_pulled_is_an_error(actorllm, server):
    server.on("POST", "/api/show", {"error": "model 'm' not found"}, 404)
    server.on("POST", "/api/pull", [{"error": "pull model manifest: file does not exist"}])
    result = actorllm("run", "m", "x")
    assert result.status == 1
    assert result.err == (
        "Error: model 'm' is not here, and pulling it failed: "
        "pull model manifest: file does not exist\n"
    )


@pytest.mark.parametrize(("meant", "hint"), [("seedlng", "; did you mean seedling?"), ("m", "")])
def test_a_model_whose_name_is_nearly_right_is_named(actorllm, server, meant, hint):
    server.on("POST", "/api/show", {"error": "not found"}, 404)
    server.on("POST", "/api/pull", [{"error": "no"}])
    server.on("GET", "/api/tags", {"models": [{"name": "seedling:latest"}, {"name": "other:1b"}]})
    result = actorllm("run", meant, "x")
    assert result.err == f"Error: model '{meant}' is not here, and pulling it failed: no{hint}\n"


def test_an_interrupt_cancels_the_generation_and_exits_with_130(server, environment):
    server.on("POST", "/api/show", {"capabilities": ["completion"]})
    server.on("POST", "/api/generate", lambda _: ({"response": "x"} for _ in itertools.count()))
    environment.setenv("ACTORLLM_HOST", server.address)
    child = subprocess.Popen(
        [sys.executable, "-m", "actorllm.cli.main", "run", "m", "x"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert os.read(child.stdout.fileno(), 1) == b"x"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert err.strip() == b""
    assert server.broken_off.wait(20)


def test_what_the_server_degraded_is_said_on_standard_error(actorllm, server, model):
    said = {"notices": ["the context was full"]}
    server.on("POST", "/api/generate", says("Hi", actorllm=said))
    assert actorllm("run", "m", "x").err == "actorllm: the context was full\n"
