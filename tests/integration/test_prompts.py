"""Prompts and tokens of a real model."""

from tests.integration.daemon import MODEL, Daemon

HI = [{"role": "user", "content": "Hello!"}]
PROMPT = "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"


def test_a_rendered_prompt_is_the_one_that_a_chat_reads(daemon: Daemon):
    made = daemon.post("/api/render", model=MODEL, messages=HI).json()
    assert (made["prompt"], made["template"]) == (PROMPT, "jinja")
    said = daemon.post(
        "/api/chat", model=MODEL, messages=HI, stream=False, options={"num_predict": 1}
    ).json()
    assert said["prompt_eval_count"] == len(made["tokens"])
    split = daemon.post("/api/tokenize", model=MODEL, text=made["prompt"]).json()
    assert split["tokens"] == made["tokens"]
    joined = daemon.post("/api/detokenize", model=MODEL, tokens=made["tokens"]).json()
    assert joined["text"] == made["prompt"]


def test_what_a_prompt_loses_is_said(daemon: Daemon):
    roles = ("user", "assistant") * 40 + ("user",)
    messages = [{"role": role, "content": f"word {n} of many"} for n, role in enumerate(roles)]
    made = daemon.post(
        "/api/render", model=MODEL, messages=messages, options={"num_ctx": 256}
    ).json()
    assert made["num_ctx"] == 256
    assert made["truncated_messages"] > 0
    assert made["truncated_tokens"] > 0
    assert len(made["tokens"]) <= 256
    assert made["prompt"].endswith("word 80 of many<|im_end|>\n<|im_start|>assistant\n")


def test_nothing_is_loaded_for_a_template_alone_or_for_an_answer(daemon: Daemon):
    daemon.post("/api/generate", model=MODEL, keep_alive=0)
    template = "{{ range .Messages }}<{{ .Content }}>{{ end }}"
    assert daemon.post("/api/render", template=template, messages=HI).json()["prompt"] == "<Hello!>"
    found = daemon.post("/api/parse", model=MODEL, text="<think>\nhm\n</think>\n\nyes").json()
    assert found["message"] == {"role": "assistant", "content": "yes", "thinking": "hm"}
    loaded = {model["name"] for model in daemon.client.get("/api/ps").json()["models"]}
    assert f"{MODEL}:latest" not in loaded
    bad = daemon.post("/api/detokenize", model=MODEL, tokens=[10**6])
    assert (bad.status_code, "not in the vocabulary" in bad.json()["error"]) == (400, True)
