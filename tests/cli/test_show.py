import pytest

SHOWN = {
    "license": "\nMIT License\n\nCopyright someone\nPermission is granted\n",
    "modelfile": "FROM x\n",
    "parameters": 'temperature                    0\nstop                           "<|im_end|>"',
    "template": "{{ .Prompt }}",
    "system": "Be kind.",
    "details": {"family": "llama", "parameter_size": "4.46M", "quantization_level": "Q8_0"},
    "model_info": {
        "general.architecture": "llama",
        "general.parameter_count": 4459264,
        "llama.context_length": 1024,
        "llama.embedding_length": 256,
        "tokenizer.ggml.tokens": ["a", "b", "c", "d", "e"],
        "tokenizer.ggml.merges": None,
    },
    "tensors": [{"name": "output_norm.weight", "type": "F32", "shape": [256, 2]}],
    "capabilities": ["completion", "tools"],
}

LAYOUT = """\
  Model
    architecture        llama    
    parameters          4.46M    
    context length      1024     
    embedding length    256      
    quantization        Q8_0     

  Capabilities
    completion    
    tools         

  Parameters
    temperature    0               
    stop           "<|im_end|>"    

  System
    Be kind.    

  License
    MIT License          
    Copyright someone    
    ...                  

"""  # noqa: W291 -- cells are padded, the last one, too


@pytest.fixture
def shown(server):
    server.on("POST", "/api/show", SHOWN)


def test_a_model_is_shown_in_sections(actorllm, shown):
    assert actorllm("show", "m").out == LAYOUT


def test_verbose_adds_metadata_and_tensors(actorllm, server, shown):
    out = actorllm("show", "-v", "m").out
    assert server.bodies("/api/show") == [{"model": "m", "verbose": True}]
    assert '    tokenizer.ggml.tokens      ["a", "b", "c", ...+2 more]    \n' in out
    assert "    tokenizer.ggml.merges      null                           \n" in out
    assert "  Tensors\n    output_norm.weight    F32    [256 2]    \n" in out


def test_a_projector_is_shown(actorllm, server):
    info = {
        "general.architecture": "clip",
        "general.parameter_count": 303_500_000,
        "clip.vision.embedding_length": 1024,
        "clip.vision.projection_dim": 768,
    }
    server.on("POST", "/api/show", {"projector_info": info})
    assert actorllm("show", "m").out == (
        "  Projector\n    architecture        clip    \n    parameters          304M    \n"
        "    embedding length    1024    \n    dimensions          768     \n\n"
    )


@pytest.mark.parametrize("part", ["license", "modelfile", "parameters", "template", "system"])
def test_one_part_is_printed_alone(actorllm, shown, part):
    assert actorllm("show", f"--{part}", "m").out == SHOWN[part] + "\n"


def test_two_parts_are_wrong_usage(actorllm, shown):
    result = actorllm("show", "--system", "--template", "m")
    assert result.status == 2
    assert "use only one of --system, --template" in result.err


def test_an_unknown_model_is_an_error(actorllm, server):
    server.on("POST", "/api/show", {"error": "model 'm:latest' not found"}, 404)
    result = actorllm("show", "m")
    assert (result.status, result.err) == (1, "Error: model 'm:latest' not found\n")


MADE = {"prompt": "<hi>\n", "tokens": [1, 2], "template": "go", "reason": "it has one", "notices": ["n"]}  # fmt: skip


@pytest.mark.parametrize(
    ("stdin", "messages"),
    [
        ("", [{"role": "user", "content": "Hello!"}]),
        ('[{"role": "user", "content": "hi"}]', [{"role": "user", "content": "hi"}]),
    ],
)
def test_the_prompt_of_a_conversation_is_rendered(actorllm, server, stdin, messages):
    server.on("POST", "/api/render", MADE)
    result = actorllm("show", "--render", "m", stdin=stdin)
    assert (result.status, result.out) == (0, "<hi>\n\n")
    assert result.err == "2 tokens\ngo: it has one\nn\n"
    assert server.bodies("/api/render") == [{"model": "m", "messages": messages}]


@pytest.mark.parametrize("stdin", ["hello", "{}", "[" * 100_000])
def test_what_is_no_conversation_is_said_in_one_line(actorllm, server, stdin):
    result = actorllm("show", "--render", "m", stdin=stdin)
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "give an array of messages" in result.err
    assert server.bodies("/api/render") == []
