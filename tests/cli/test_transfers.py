def test_a_pull_prints_each_step_once_where_there_is_no_terminal(actorllm, server):
    digest = "pulling 9213c2d17671"
    steps = [
        {"status": "pulling manifest"},
        {"status": digest, "digest": "sha256:92", "total": 10},
        {"status": "pulling b71d", "digest": "sha256:b7", "total": 5},
        {"status": digest, "digest": "sha256:92", "total": 10, "completed": 6},
        {"status": "pulling b71d", "digest": "sha256:b7", "total": 5, "completed": 5},
        {"status": digest, "digest": "sha256:92", "total": 10, "completed": 10},
        {"status": "success"},
    ]
    server.on("POST", "/api/pull", steps)
    result = actorllm("pull", "m")
    assert result.status == 0
    assert result.err == f"pulling manifest\n{digest}\npulling b71d\nsuccess\n"
    assert server.bodies("/api/pull") == [{"model": "m"}]


def test_insecure_is_passed_on(actorllm, server):
    server.on("POST", "/api/push", [{"status": "success"}])
    actorllm("push", "--insecure", "m")
    assert server.bodies("/api/push") == [{"model": "m", "insecure": True}]


def test_an_error_in_the_stream_ends_with_one_line(actorllm, server):
    server.on("POST", "/api/pull", [{"status": "pulling manifest"}, {"error": "no such model"}])
    result = actorllm("pull", "m")
    assert (result.status, result.err) == (1, "pulling manifest\nError: no such model\n")


def test_a_server_that_cannot_pull_is_an_error(actorllm):
    result = actorllm("pull", "m")
    assert result.status == 1
    assert "/api/pull answered 404 Not Found; is it an actorllm server?" in result.err
