import hashlib
import io

import pytest

WEIGHTS = b"GGUF" + bytes(range(256)) * 10_000
DIGEST = f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"


@pytest.fixture
def folder(tmp_path, monkeypatch, server):
    """A folder with weights to create from, and a server that takes them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.gguf").write_bytes(WEIGHTS)
    server.on("POST", f"/api/blobs/{DIGEST}", b"", 201)
    server.on("POST", "/api/create", [{"status": "writing manifest"}, {"status": "success"}])
    return tmp_path


def test_files_are_uploaded_and_named_in_the_request(actorllm, server, folder):
    (folder / "Modelfile").write_text('FROM ./weights.gguf\nPARAMETER stop a\nSYSTEM """Hi"""\n')
    result = actorllm("create", "mine")
    assert result.status == 0
    assert result.err.endswith("writing manifest\nsuccess\n")
    assert server.bodies(f"/api/blobs/{DIGEST}") == [None, WEIGHTS]
    assert server.bodies("/api/create") == [
        {
            "model": "mine",
            "files": {"weights.gguf": DIGEST},
            "system": "Hi",
            "parameters": {"stop": ["a"]},
        }
    ]


def test_a_blob_that_the_server_has_is_not_sent(actorllm, server, folder):
    server.on("HEAD", f"/api/blobs/{DIGEST}", b"")
    (folder / "Modelfile").write_text("FROM weights.gguf")
    assert actorllm("create", "mine").status == 0
    assert server.bodies(f"/api/blobs/{DIGEST}") == [None]


def test_paths_are_relative_to_the_modelfile(actorllm, server, folder):
    sub = folder / "sub"
    sub.mkdir()
    (sub / "recipe").write_text("FROM ../weights.gguf\nADAPTER ../weights.gguf")
    assert actorllm("create", "-f", "sub/recipe", "-q", "q8_0", "mine").status == 0
    (body,) = server.bodies("/api/create")
    assert body["files"] == body["adapters"] == {"weights.gguf": DIGEST}
    assert body["quantize"] == "q8_0"


def test_what_is_no_file_is_the_name_of_a_model(actorllm, server, folder):
    (folder / "Modelfile").write_text(
        "FROM llama3:8b\nLICENSE a\nLICENSE b\nMESSAGE user hello\nREQUIRES 0.14.0\n"
    )
    actorllm("create", "mine", "--quantize", "")
    assert server.bodies("/api/create") == [
        {
            "model": "mine",
            "from": "llama3:8b",
            "license": ["a", "b"],
            "messages": [{"role": "user", "content": "hello"}],
            "requires": "0.14.0",
        }
    ]


def test_without_a_modelfile_the_files_of_the_folder_are_taken(actorllm, server, folder):
    assert actorllm("create", "mine").status == 0
    assert server.bodies("/api/create") == [{"model": "mine", "files": {"weights.gguf": DIGEST}}]


def test_a_folder_of_safetensors_brings_its_companions(actorllm, server, folder):
    model = folder / "model"
    model.mkdir()
    names = ["model-1.safetensors", "config.json", "tokenizer.model", "chat_template.jinja"]
    for name in [*names, "readme.md", "other.bin"]:
        (model / name).write_bytes(WEIGHTS)
    (folder / "Modelfile").write_text("FROM ./model")
    assert actorllm("create", "mine").status == 0
    assert sorted(server.bodies("/api/create")[0]["files"]) == sorted(names)


def test_a_part_of_split_weights_brings_the_others(actorllm, server, folder):
    names = [f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    for name in names:
        (folder / name).write_bytes(WEIGHTS)
    (folder / "Modelfile").write_text(f"FROM ./{names[0]}")
    assert actorllm("create", "mine").status == 0
    assert list(server.bodies("/api/create")[0]["files"]) == names
    (folder / names[1]).unlink()
    result = actorllm("create", "mine")
    assert result.err == f"Error: 1 of 3 parts are missing: {names[1]} ...\n"


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
NEITHER = (
    " is neither a GGUF file nor safetensors: give a .gguf file, a folder of safetensors, or the "
    "name of a model"
)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("junk", b"some words", NEITHER),
        ("junk.gguf", b"<html>", NEITHER),
        ("junk.bin", b"", NEITHER),
        (
            "model.safetensors",
            POINTER,
            " is a pointer of Git LFS, not the weights: run git lfs pull first",
        ),
    ],
)
@pytest.mark.parametrize("instruction", ["FROM .", "FROM base\nADAPTER ."])
def test_what_holds_no_weights_is_not_sent(
    actorllm, server, folder, name, content, problem, instruction
):
    (folder / name).write_bytes(content)
    (folder / "Modelfile").write_text(f"{instruction}/{name}")
    result = actorllm("create", "mine")
    assert (result.status, result.err) == (1, f"Error: {name}{problem}\n")
    assert not [path for method, path, _ in server.asked if method == "POST"]


def test_weights_of_pytorch_are_not_sent(actorllm, server, folder):
    (folder / "model").mkdir()
    (folder / "model" / "pytorch_model.bin").write_bytes(b"PK")
    (folder / "Modelfile").write_text("FROM ./model")
    assert actorllm("create", "mine").err == f"Error: pytorch_model.bin{NEITHER}\n"


def test_a_link_that_leads_out_of_the_folder_is_refused(actorllm, server, folder):
    model = folder / "model"
    model.mkdir()
    (model / "model.safetensors").symlink_to(folder / "weights.gguf")
    (folder / "Modelfile").write_text("FROM ./model")
    result = actorllm("create", "mine")
    assert (result.status, result.err) == (1, "Error: insecure path: model.safetensors\n")


def test_a_modelfile_may_come_from_standard_input(actorllm, server, folder, monkeypatch):
    class Piped(io.StringIO):
        buffer = io.BytesIO(b"FROM base")

    monkeypatch.setattr("io.StringIO", Piped)
    assert actorllm("create", "-f", "-", "mine").status == 0
    assert server.bodies("/api/create") == [{"model": "mine", "from": "base"}]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SYSTEM hello", "no FROM line"),
        ("FROM x\nPARAMETER nonsense 1", "unknown parameter 'nonsense'"),
        ("FROM a\nFROM b", "FROM names more than one model: a, b"),
        ("FROM x\nADAPTER ./gone", "there is no file './gone'"),
        ("FROM ./gone", "FROM: there is no file './gone', and no model has such a name"),
    ],
)
def test_a_bad_modelfile_is_an_error_of_one_line(actorllm, server, folder, text, error):
    (folder / "Modelfile").write_text(text)
    result = actorllm("create", "mine")
    assert (result.status, result.err) == (1, f"Error: {error}\n")
    assert server.bodies("/api/create") == []


def test_a_modelfile_that_is_not_there_is_an_error(actorllm, folder):
    result = actorllm("create", "-f", "gone", "mine")
    assert result.status == 1
    assert result.err == "Error: cannot read the Modelfile gone: No such file or directory\n"


def test_deprecated_parameters_are_warned_of(actorllm, server, folder):
    (folder / "Modelfile").write_text("FROM x\nPARAMETER low_vram 1")
    assert actorllm("create", "m").err.startswith("warning: parameter low_vram is deprecated\n")


def test_a_refused_upload_is_an_error(actorllm, server, folder):
    server.on("POST", f"/api/blobs/{DIGEST}", {"error": "no space left"}, 507)
    result = actorllm("create", "mine")
    assert result.status == 1
    assert result.err.endswith("Error: no space left\n")
