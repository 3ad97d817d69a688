"""The command against servers that are not there, not right, or not the same."""

import json

import pytest


def stream(*frames):
    return lambda _: (200, [*frames])


ANSWER = (
    {"message": {"content": "a"}, "done": False},
    {"message": {"content": "b"}, "done": False},
    {"message": {"content": ""}, "done": True, "prompt_eval_count": 9, "eval_count": 2},
)


def offer(server, weights="5" * 64, quantization="Q8_0"):
    shown = {
        "modelfile": f"FROM /x/sha256-{weights}",
        "details": {"quantization_level": quantization},
    }
    server.on("GET", "/api/tags", {"models": [{"name": "m:latest", "digest": "a" * 64}]})
    server.on("POST", "/api/show", shown)
    server.on("POST", "/api/chat", stream(*ANSWER))


def test_a_server_that_counts_the_same_for_all_texts_is_measured_by_a_guess(actorllm, server):
    offer(server)
    done = actorllm("bench", "m", "--streams", "2", "--rounds", "2", "--seed", "1")
    assert done.status == 0, done.err
    assert "counts no prompt tokens: the length of prompts is a guess" in done.out
    assert "answers that ended early" in done.out


def test_prompts_differ_between_streams_rounds_and_runs_of_another_seed(actorllm, server):
    offer(server)
    for seed in ("1", "2"):
        done = actorllm("bench", "m", "--streams", "1,2", "--rounds", "2", "--seed", seed)
        assert done.status == 0, done.err
    prompts = [body["messages"][0]["content"] for body in server.bodies("/api/chat")]
    assert len(prompts) == 2 * (2 + (1 + 2) + (2 + 4))
    assert len(set(prompts)) == len(prompts)
    windows = {body["options"]["num_ctx"] for body in server.bodies("/api/chat")}
    assert len(windows) == 1  # another one could make the server load anew


def test_the_same_seed_asks_the_same(actorllm, server):
    offer(server)
    for _ in range(2):
        actorllm("bench", "--streams", "1", "--rounds", "1", "--seed", "1")
    bodies = [json.dumps(body) for body in server.bodies("/api/chat")]
    assert bodies[: len(bodies) // 2] == bodies[len(bodies) // 2 :]


@pytest.mark.parametrize(
    ("route", "answer", "text"),
    [
        ("/api/chat", stream({"error": "out of\nmemory"}), "out of memory"),
        ("/api/chat", stream({"message": {"content": "a"}}), "ended a stream before its last"),
        ("/api/chat", lambda _: (503, {"error": "too many wait"}), "too many wait"),
        ("/api/chat", lambda _: (400, {"error": {"message": "bad"}}), "bad"),
        ("/api/chat", b"<html>", "not JSON"),
        ("/api/show", b"[]", "not a JSON object"),
    ],
)
def test_an_error_of_the_server_is_one_line(actorllm, server, route, answer, text):
    offer(server)
    server.on("POST", route, answer)
    done = actorllm("bench", "m", "--streams", "3")
    assert done.status == 1
    assert done.err.startswith("Error: ")
    assert text in done.err
    assert done.err.count("\n") == 1


def test_a_model_that_says_next_to_nothing_is_no_load(actorllm, server):
    offer(server)
    done = actorllm("bench", "--workload", "long-beside-short")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "the answers are too short for this workload" in done.err


def test_no_server_is_one_line(actorllm):
    done = actorllm("bench", "--url", "http://127.0.0.1:1")
    assert (done.status, done.err) == (1, "Error: no server answers at http://127.0.0.1:1\n")


def test_a_server_of_another_kind_is_told_as_such(actorllm, server):
    server.routes.clear()
    done = actorllm("bench")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "speaks neither the Ollama nor the OpenAI API" in done.err


def test_a_server_of_the_openai_api_alone_is_found_out(actorllm, server):
    server.routes.clear()
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    frames = [
        {"choices": [{"delta": {"content": "a"}}]},
        {"choices": [{"delta": {"content": "b"}}]},
        {"choices": [], "usage": usage},
    ]
    events = [f"data: {json.dumps(frame)}\n\n" for frame in frames] + ["data: [DONE]\n\n"]
    server.on("GET", "/v1/models", {"data": [{"id": "m", "meta": {"n_params": 8030261248}}]})
    server.on("POST", "/v1/chat/completions", "".join(events).encode())
    done = actorllm("bench", "--streams", "2", "--rounds", "1", "--seed", "1")
    assert done.status == 0, done.err
    assert f"A: http://{server.address} (openai API), m, 8.0B" in done.out


def test_a_path_of_the_api_in_the_url_is_left_out(actorllm, server):
    offer(server)
    done = actorllm("bench", "--url", f"http://{server.address}/v1", "--streams", "1")
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--streams", "0"),
        ("--streams", "1,x"),
        ("--streams", "999"),
        ("--url", "ftp://x"),
        ("--rounds", "0"),
        ("--versus-model", "m"),
        ("--different-models",),
        ("--workload", "other"),
    ],
)
def test_wrong_usage_has_its_own_status(actorllm, arguments):
    assert actorllm("bench", "m", *arguments).status == 2


def test_models_of_other_weights_are_compared_on_request_only(actorllm, server, other_server):
    offer(server)
    offer(other_server, weights="6" * 64, quantization="Q4_0")
    arguments = ("bench", "m", "--versus", other_server.address, "--streams", "1", "--seed", "3")
    done = actorllm(*arguments)
    assert done.status == 1
    assert "the models differ: m:latest, 555555555555, Q8_0 and m:latest, 6666" in done.err
    assert "--different-models" in done.err
    assert server.bodies("/api/chat") == []
    done = actorllm(*arguments, "--different-models")
    assert done.status == 0, done.err
    assert "the models differ: the ratios compare models" in done.out


def test_two_servers_take_turns(actorllm, server, other_server):
    asked = []
    for one in (server, other_server):
        offer(one)
        name = one.address

        def answer(_, name=name):
            asked.append(name)
            return 200, [*ANSWER]

        one.on("POST", "/api/chat", answer)
    done = actorllm(
        "bench", "--versus", other_server.address, "--streams", "1", "--rounds", "3", "--json"
    )
    assert done.status == 0, done.err
    a, b = server.address, other_server.address
    assert asked == [a, a, b, b, a, b, a, b, a, b, a, b]
    told = json.loads(done.out)
    assert told["same_model"] == "same"
    figures = {figure["name"]: figure for figure in told["cases"][0]["figures"]}
    ratio = figures["tokens/s in all"]["ratio"]
    assert ratio["least"] <= ratio["median"] <= ratio["most"]
    assert figures["tokens generated"]["ratio"] == {"median": 1, "least": 1, "most": 1}
    assert [one["rounds"] for one in figures["tokens generated"]["servers"]] == [[2, 2, 2]] * 2
