import json

from actorllm.cli.tree import draw


def actor(path, *children, **values):
    return {"path": path, "state": "running", "children": list(children), **values}


SNAPSHOT = {
    "name": "actorllm",
    "uptime": 12.4,
    "counters": {"sent": 7, "crashes": 1, "dead_letters": 0},
    "root": actor(
        "/",
        actor("/library", handled=3, busy=0.25),
        actor(
            "/runners",
            actor(
                "/runners/llama",
                info={"pid": 7, "models": ["a", "b"], "x": ""},
                queue=4,
                oldest_age=2.5,
                restarts=1,
                state="restarting",
            ),
        ),
        actor("/edge", queue=1, oldest_age=0.1),
    ),
}


def test_actors_are_drawn_as_a_tree_with_their_figures():
    assert draw(SNAPSHOT) == (
        "ACTOR        STATE       QUEUE      RESTARTS  HANDLED  BUSY   FACTS\n"
        "/            running     0          0         0        0.0 s\n"
        "├─ library   running     0          0         3        0.2 s\n"
        "├─ runners   running     0          0         0        0.0 s\n"
        "│  └─ llama  restarting  4 (2.5 s)  1         0        0.0 s  pid 7, models a b\n"
        "└─ edge      running     1          0         0        0.0 s\n"
        "\n"
        "up 12 s; sent 7, crashes 1\n"
    )


def test_an_active_fault_plan_is_told():
    assert draw(SNAPSHOT | {"faults": "kill the runner"}).endswith("faults: kill the runner\n")


def test_names_cannot_send_escape_sequences():
    assert "\x1b" not in draw({"root": actor("/\x1b[2J", state="\x1b]0;")})


def test_an_endless_depth_is_cut():
    root = actor("/x")
    for _ in range(400):
        root = actor("/x", root)
    assert len(draw({"root": root}).splitlines()) < 100


def test_the_tree_comes_from_the_server(actorllm, server):
    server.on("GET", "/api/actors", SNAPSHOT)
    assert actorllm("tree").out == draw(SNAPSHOT)
    assert json.loads(actorllm("tree", "--json").out) == SNAPSHOT


def test_watching_draws_again_until_it_is_interrupted(actorllm, server):
    answers = iter([SNAPSHOT, SNAPSHOT])

    def snapshot(_):
        found = next(answers, None)
        return found or (500, {"error": "gone"})

    server.on("GET", "/api/actors", snapshot)
    result = actorllm("tree", "--watch", "--interval", "0.1")
    assert result.out == draw(SNAPSHOT) * 2
    assert result.err == "Error: gone\n"
