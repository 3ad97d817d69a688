"""Lists, show, copy, delete, create and embeddings."""

import json

import pytest


async def test_tags_lists_models_with_their_details(client):
    (model,) = (await client.get("/api/tags")).json()["models"]
    assert list(model) == [
        "name",
        "model",
        "modified_at",
        "size",
        "digest",
        "details",
        "capabilities",
    ]
    assert model["details"]["context_length"] == 1024


async def test_ps_lists_what_is_loaded(client):
    (model,) = (await client.get("/api/ps")).json()["models"]
    assert list(model)[-3:] == ["expires_at", "size_vram", "context_length"]
    assert "context_length" not in model["details"]


async def test_show_leaves_out_what_is_empty(client):
    shown = await client.post("/api/show", json={"model": "text", "system": "s"})
    assert list(shown.json()) == [
        "modelfile",
        "template",
        "system",
        "details",
        "model_info",
        "tensors",
        "capabilities",
        "modified_at",
    ]
    assert '"x":null,"eps":0.00001' in shown.text


async def test_copy_and_delete_answer_with_nothing(client, world):
    answers = [
        await client.post("/api/copy", json={"source": "a", "destination": "b"}),
        await client.request("DELETE", "/api/delete", json={"name": "a"}),
    ]
    assert [(a.status_code, a.content, "content-type" in a.headers) for a in answers] == [
        (200, b"", False)
    ] * 2
    assert world.requests[0].destination == "b"
    assert world.requests[1].model == "a"


async def test_create_streams_its_steps(client, world):
    body = {"model": "new", "from": "text", "license": "MIT", "quantization": "q8_0"}
    answer = await client.post("/api/create", json=body)
    assert answer.headers["content-type"] == "application/x-ndjson"
    steps = [json.loads(line) for line in answer.text.splitlines()]
    assert steps == [{"status": "writing manifest"}, {"status": "success"}]
    (made,) = world.requests
    assert (made.license, made.quantize, made.files) == (("MIT",), "q8_0", None)


async def test_create_without_streaming_answers_with_the_last_step(client):
    answer = await client.post("/api/create", json={"model": "n", "from": "t", "stream": False})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"status": "success"}


async def test_a_creation_that_fails_in_the_middle_ends_with_an_error_line(client):
    answer = await client.post("/api/create", json={"model": "n", "from": "broken"})
    assert answer.status_code == 200
    assert json.loads(answer.text.splitlines()[-1]) == {"error": "the disk is full"}


async def test_create_refuses_what_names_neither_a_source_nor_files(client):
    answer = await client.post("/api/create", json={"model": "n"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")


async def test_vectors_are_written_with_the_digits_of_a_float32(client):
    answer = await client.post("/api/embed", json={"model": "e", "input": ["a", "b"]})
    assert '"embeddings":[[0.25,0.1],[0.25,0.1]]' in answer.text
    assert answer.json()["prompt_eval_count"] == 3


async def test_no_input_gives_no_vectors_and_no_metrics(client):
    answer = await client.post("/api/embed", json={"model": "e", "input": ""})
    assert answer.json() == {"model": "e", "embeddings": []}


@pytest.mark.parametrize("path", ["/api/embed", "/v1/embeddings"])
async def test_dimensions_that_vectors_do_not_have_are_said(client, path):
    for dimensions, said in ((0, False), (2, False), (3, True), (-1, True)):
        body = {"model": "e", "input": "a", "dimensions": dimensions}
        notice = (await client.post(path, json=body)).headers.get("Actorllm-Notice")
        wanted = f"dimensions {dimensions} had no effect: the model's vectors have 2"
        assert notice == (wanted if said else None)


async def test_the_older_route_gives_one_vector_of_a_whole_text(client, world):
    answer = await client.post("/api/embeddings", json={"model": "e", "prompt": "a"})
    assert answer.json() == {"embedding": [0.25, 0.10000000149011612]}
    assert not world.requests[-1].truncate


@pytest.mark.parametrize("stream", [True, False])
async def test_generations_that_fail_are_counted_and_refusals_are_not(client, stream):
    for model in ("text", "breaks", "crashes-early", "absent", "too-long", "busy"):
        await client.post("/api/generate", json={"model": model, "prompt": "x", "stream": stream})
    page = (await client.get("/metrics")).text
    ends = [line for line in page.splitlines() if line.startswith("actorllm_generations_total")]
    assert ends == [
        'actorllm_generations_total{reason="stop"} 1.0',
        'actorllm_generations_total{reason="failed"} 2.0',
    ]


async def test_the_tree_and_the_metrics_can_be_read(client):
    await client.post("/api/chat", json={"model": "text"})
    tree = (await client.get("/api/actors")).json()
    assert [c["path"] for c in tree["root"]["children"]][:2] == ["/queue", "/library"]
    page = (await client.get("/metrics")).text
    assert 'actorllm_requests_total{method="POST",route="/api/chat",status="200"} 1.0' in page
    assert 'actorllm_tokens_total{kind="generated"} 2.0' in page
    assert 'actorllm_actor_queue{actor="/queue"}' in page


async def test_a_pull_streams_its_steps_without_what_is_zero(client, world):
    body = {"name": "text:local", "insecure": True, "username": "u", "password": "p"}
    answer = await client.post("/api/pull", json=body)
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"status": "pulling manifest"},
        {"status": "pulling abc", "digest": "sha256:abc", "total": 9},
        {"status": "success"},
    ]
    (pull,) = world.requests
    assert (pull.model, pull.insecure, pull.username, pull.password) == ("text", True, "u", "p")


async def test_a_push_that_fails_is_a_status_or_a_last_line(client):
    streamed = await client.post("/api/push", json={"model": "x"})
    assert streamed.text.splitlines()[-1] == '{"error":"model not found"}'
    whole = await client.post("/api/push", json={"model": "x", "stream": False})
    assert (whole.status_code, whole.headers["content-type"]) == (404, "application/json")


async def test_models_elsewhere_are_not_pulled(client, world):
    answer = await client.post("/api/pull", json={"model": "big:cloud"})
    assert answer.status_code == 403
    assert world.requests == []


async def test_copilot_is_shown_the_name_that_it_asked_for(client):
    headers = {"User-Agent": "GitHubCopilotChat/1.0"}
    shown = (await client.post("/api/show", json={"model": "text"}, headers=headers)).json()
    assert shown["model_info"]["general.basename"] == "text"
