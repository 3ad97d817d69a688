"""What each dialect says of bodies that make no sense, where no recorded exchange tells it."""

import pytest

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
UNKNOWN = "json: cannot unmarshal"
TYPED = r'struct { Type string "json:\"type\"" }'
ROLED = r'struct { Type string "json:\"type\""; Role string "json:\"role\"" }'
CONTENT = r'struct { Role string "json:\"role\""; Content json.RawMessage "json:\"content\"" }'

CALLED = r'struct { Name string "json:\"name\""; Arguments string "json:\"arguments\"" }'
CLOSING = "Value looks like object, but can't find closing '}' symbol"


def said(content, role="user"):
    return {"messages": [{"role": role, "content": content}]}


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        (CHAT, said(None), "invalid message content type: <nil>"),
        (CHAT, said({}), "invalid message content type: map[string]interface {}"),
        (CHAT, said(["x"]), "invalid message format"),
        (CHAT, said([{"type": "text", "text": 5}]), "invalid message format"),
        (CHAT, said([{"type": "image_url", "image_url": {}}]), "invalid message format"),
        (CHAT, said([{"type": "image_url", "image_url": "data:image/gif;base64,aGk="}]), "invalid image input"),
        (CHAT, said([{"type": "input_audio"}]), "invalid input_audio format"),
        (CHAT, said("x") | {"reasoning": {"effort": "huge"}}, 'invalid reasoning value: "huge" (must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max", or "none")'),
        (CHAT, said("x") | {"logit_bias": {"a": 1}}, "logit_bias must be of type object, with token numbers as keys"),
        (CHAT, said("x") | {"logit_bias": {"5": "x"}}, "logit_bias must be of type float32"),
        (CHAT, said("x") | {"stop": "a", "stream_options": 5}, f"{UNKNOWN} number into Go struct field ChatCompletionRequest.stream_options of type openai.StreamOptions"),
        (CHAT, said("x") | {"tools": [{"function": {"parameters": []}}]}, f"{UNKNOWN} array into Go struct field ToolFunction.tools.function.parameters of type api.ToolFunctionParameters"),
        (RESPONSES, {"input": 5}, f"input must be a string or array: {UNKNOWN} number into Go value of type []json.RawMessage"),
        (RESPONSES, {"input": [5]}, f"input[0]: {UNKNOWN} number into Go value of type {ROLED}"),
        (RESPONSES, {"input": [{}]}, "input[0]: input item missing required 'type' field"),
        (RESPONSES, {"input": [{"type": 5}]}, f"input[0]: {UNKNOWN} number into Go struct field .type of type string"),
        (RESPONSES, {"input": [{"type": "frob"}]}, 'input[0]: unknown input item type: "frob"'),
        (RESPONSES, {"input": [{"role": "user", "content": 5}]}, f"input[0]: content must be a string or array: {UNKNOWN} number into Go value of type []json.RawMessage"),
        (RESPONSES, {"input": [{"role": "user", "content": ["x"]}]}, f"input[0]: content[0]: {UNKNOWN} string into Go value of type {TYPED}"),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}, f"input[0]: content[0]: {UNKNOWN} number into Go struct field ResponsesTextContent.text of type string"),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "file inputs are not currently supported"),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}]}, "image URLs are not currently supported, please use base64 encoded data instead"),
        (RESPONSES, {"input": [{"type": "function_call", "name": 5}]}, f"input[0]: {UNKNOWN} number into Go struct field ResponsesFunctionCall.name of type string"),
        (RESPONSES, {"input": [{"type": "function_call_output", "output": 5}]}, f"input[0]: output must be a string or array: {UNKNOWN} number into Go value of type []json.RawMessage"),
        (RESPONSES, {"input": [{"type": "function_call_output", "output": [{"type": "x"}]}]}, "input[0]: output[0]: unknown content type: x"),
        (RESPONSES, {"input": "x", "tools": [{"name": "f", "parameters": {"type": 5}}]}, f"failed to unmarshal tool parameters: {UNKNOWN} number into Go struct field ToolFunctionParameters.type of type string"),
        (RESPONSES, {"input": "x", "tools": [{"type": "namespace", "name": "n", "tools": [5]}]}, f"{UNKNOWN} number into Go struct field ResponsesRequest.tools.tools of type openai.ResponsesTool"),
        (MESSAGES, {"messages": ["x"]}, f"{UNKNOWN} string into Go struct field MessagesRequest.messages of type {CONTENT}"),
        (MESSAGES, {"messages": [{"role": 5}]}, f"{UNKNOWN} number into Go struct field MessagesRequest.messages.role of type string"),
        (MESSAGES, {"messages": [{"role": "user"}]}, "unexpected end of JSON input"),
        (MESSAGES, said(["x"]), f"{UNKNOWN} string into Go struct field MessagesRequest.messages of type anthropic.ContentBlock"),
        (MESSAGES, said([{"type": "text", "text": 5}]), f"{UNKNOWN} number into Go struct field MessagesRequest.messages.text of type string"),
        (CHAT, said("x") | {"tools": [{"function": {"parameters": {"properties": {"a": {"type": 5}}}}}]}, f"{UNKNOWN} number into Go struct field ToolFunctionParameters.tools.function.parameters.properties.type of type []string"),
        (CHAT, said("x") | {"tools": [{"function": {"parameters": {"properties": {"a": {"anyOf": ["x"]}}}}}]}, f"{UNKNOWN} string into Go struct field ToolFunctionParameters.tools.function.parameters.properties.anyOf of type api.ToolProperty"),
        (CHAT, said("x") | {"tools": [{"function": {"parameters": {"properties": {"a": {"properties": []}}}}}]}, CLOSING),
        (CHAT, {"messages": [{"tool_calls": [{"function": 5}]}]}, f"{UNKNOWN} number into Go struct field ToolCall.messages.tool_calls.function of type {CALLED}"),
        (CHAT, {"messages": [{"tool_calls": [{"function": {"name": 5}}]}]}, f"{UNKNOWN} number into Go struct field .messages.tool_calls.function.name of type string"),
        (RESPONSES, {"input": [{"role": "user", "content": [None]}]}, "input[0]: content[0]: unknown content type: "),
        (RESPONSES, {"input": [{"type": "reasoning", "id": 5}]}, f"input[0]: {UNKNOWN} number into Go struct field ResponsesReasoningInput.id of type string"),
        (RESPONSES, {"input": "x", "tools": [{"name": "f", "parameters": {"properties": []}}]}, f"failed to unmarshal tool parameters: {CLOSING}"),
        (MESSAGES, said("x") | {"tools": [{"name": "f", "input_schema": {"properties": {"a": 5}}}]}, f'invalid input_schema for tool "f": {UNKNOWN} number into Go struct field ToolFunctionParameters.properties of type api.ToolProperty'),
        (MESSAGES, said("x") | {"metadata": 5}, f"{UNKNOWN} number into Go struct field MessagesRequest.metadata of type anthropic.Metadata"),
        (MESSAGES, said([{"type": "text", "text": "a", "citations": [5]}]), f"{UNKNOWN} number into Go struct field MessagesRequest.messages.citations of type anthropic.Citation"),
        (MESSAGES, said([{"type": "tool_use", "id": "a", "name": "b", "input": []}]), CLOSING),
        (MESSAGES, said([{"type": "image"}]), "invalid image source"),
        (MESSAGES, said([{"type": "image", "source": {"type": "base64", "data": "***"}}]), "invalid base64 image data: illegal base64 data at input byte 0"),
        (MESSAGES, said([{"type": "tool_use", "id": "t"}]), "tool_use block missing required 'name' field"),
        (MESSAGES, said([{"type": "tool_result", "content": [{"type": "image"}]}]), "invalid tool_result image source"),
    ],
)  # fmt: skip
async def test_a_body_that_makes_no_sense_is_refused_in_known_words(path, body, text, client):
    answer = await client.post(path, json={"model": "text", "max_tokens": 9} | body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, text)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, "/v1/completions", "/v1/embeddings"])
async def test_a_model_elsewhere_is_refused_before_all_else(path, client):
    answer = await client.post(path, json={"model": "x:cloud"})
    assert answer.status_code == 403
    assert answer.json() == {"error": "ollama cloud is disabled: remote model is unavailable"}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "missing request body"),
        (b" \n", 400, "missing request body"),
        (b"{", 403, "ollama cloud is disabled: web search is unavailable"),
        (b'{"query": 5}', 403, "ollama cloud is disabled: web search is unavailable"),
    ],
)
async def test_a_search_of_the_web_needs_a_body_and_is_refused(body, status, text, client):
    answer = await client.post("/api/experimental/web_search", content=body)
    assert (answer.status_code, answer.json()["error"]) == (status, text)


async def test_nobody_is_signed_in_and_nothing_is_recommended(client):
    for method, path in (("POST", "/api/signout"), ("DELETE", "/api/user/keys/x")):
        answer = await client.request(method, path)
        assert answer.status_code == 401
        assert answer.json() == {"error": "you are not currently signed in"}
    answer = await client.get("/api/experimental/model-recommendations")
    assert answer.json() == {"recommendations": []}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"headers": {"Content-Type": "application/json"}, "content": b"{}"}, "failed to parse multipart form: request Content-Type isn't multipart/form-data"),
        ({"headers": {"Content-Type": "multipart/form-data"}, "content": b"x"}, "failed to parse multipart form: no multipart boundary param in Content-Type"),
        ({"files": {"file": b"x"}}, "model is required"),
        ({"files": {"other": b"x"}, "data": {"model": "text"}}, "file is required: http: no such file"),
        ({"files": {"file": b""}, "data": {"model": "text"}}, "audio file is empty"),
    ],
)  # fmt: skip
async def test_a_form_without_its_parts_is_refused(more, text, client):
    answer = await client.post("/v1/audio/transcriptions", **more)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, text)


async def test_a_prompt_that_does_not_fit_is_refused_with_its_size(client):
    body = {"model": "too-long", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    plain = await client.post("/api/chat", json=body)
    assert plain.json() == {"error": "too long"}
    assert plain.headers["actorllm-notice"] == "n_prompt: 9, n_ctx: 4"
    for path in (CHAT, RESPONSES, MESSAGES):
        error = (await client.post(path, json=body)).json()["error"]
        assert (error["n_prompt"], error["n_ctx"]) == (9, 4)


CLOUD = "ollama cloud is disabled: remote model is unavailable"


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/api/embed", {"model": "", "input": 5}, 404, "model '' not found"),
        ("/api/embed", {"model": " ", "input": 5}, 404, "model ' ' not found"),
        ("/api/embed", {"model": "a@b", "input": 5}, 400, "invalid model name"),
        ("/api/embed", {"model": "a:cloud", "input": 5}, 403, CLOUD),
        ("/api/embed", {"model": "a:cloud:local", "input": 5}, 400, 'use either :local or :cloud, not both: "a:cloud:local"'),
        ("/api/embed", {"model": "absent", "input": 5}, 400, "invalid input type"),
        ("/api/embeddings", {"model": " "}, 400, "model is required"),
        ("/api/pull", {"model": ":cloud"}, 400, "invalid model name"),
        ("/api/create", {"model": "", "files": {"/a": ""}}, 400, "file path must be relative"),
        ("/api/create", {"model": "", "files": {"a": ""}}, 400, "invalid digest format"),
        ("/api/create", {"model": "", "draft_quantize": "q4_0"}, 400, "--draft-quantize requires a DRAFT model"),
        ("/api/create", {"model": "", "license": 5}, 400, "invalid model name"),
        ("/api/create", {"model": "a", "license": 5}, 400, f"{UNKNOWN} number into Go value of type []string"),
    ],
)  # fmt: skip
async def test_of_several_wrong_things_the_first_is_told(path, body, status, text, client):
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, "/v1/embeddings", "/v1/completions"])
async def test_a_model_elsewhere_is_refused_before_the_rest_is_read(path, client):
    answer = await client.post(path, json={"model": "a:20b-cloud", "stream": "x", "messages": 5})
    assert (answer.status_code, answer.json()) == (403, {"error": CLOUD})


async def test_a_name_that_is_only_elsewhere_is_no_name(client):
    answer = await client.post("/v1/embeddings", json={"model": ":cloud", "input": "x"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "invalid model name")
