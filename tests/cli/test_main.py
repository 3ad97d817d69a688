import os
import subprocess
import sys

import click
import pytest

from actorllm.cli.main import cli


def test_without_a_command_the_help_is_shown(actorllm):
    result = actorllm()
    assert result.status == 0
    assert "Run large language models on this machine." in result.out
    assert "..." not in result.out.partition("Commands:")[2]  # no summary is too long


@pytest.mark.parametrize("name", [*cli.list_commands(None), "ls", "start"])
def test_every_command_has_a_help_with_a_summary_and_described_options(actorllm, name):
    result = actorllm(name, "--help")
    assert result.status == 0
    assert result.out.startswith("Usage: actorllm ")
    command = cli.get_command(None, name)
    assert command.help
    assert all(p.help for p in command.params if isinstance(p, click.Option))


def test_help_is_a_command_too(actorllm):
    assert actorllm("help").out == actorllm("--help").out
    assert actorllm("help", "run").out == actorllm("run", "--help").out
    assert actorllm("help", "key", "show").out == actorllm("key", "show", "--help").out


def test_the_help_of_serve_lists_the_environment(actorllm):
    out = actorllm("serve", "--help").out
    assert "ACTORLLM_MAX_QUEUE" in out
    assert "512" in out


@pytest.mark.parametrize(
    "arguments", [["show"], ["nonsense"], ["help", "nonsense"], ["list", "--wrong"], ["tree", "x"]]
)
def test_wrong_usage_exits_with_two_and_says_how_it_is_used(actorllm, arguments):
    result = actorllm(*arguments)
    assert result.status == 2
    assert "Usage:" in result.err
    assert result.out == ""


def test_the_version_is_that_of_the_server(actorllm):
    assert actorllm("--version").out == "actorllm version is 0.1.0\n"


def test_another_version_of_the_server_is_a_warning(actorllm, server):
    server.on("GET", "/api/version", {"version": "0.33.0"})
    assert actorllm("-v").out == ("actorllm version is 0.33.0\nWarning: client version is 0.1.0\n")


def test_without_a_server_the_version_is_ours_and_no_server_is_started(
    actorllm, environment, tmp_path
):
    environment.setenv("ACTORLLM_HOST", "127.0.0.1:1")
    assert actorllm("-v").out == (
        "Warning: no running actorllm server answers\nactorllm version is 0.1.0\n"
    )
    assert not (tmp_path / "state").exists()


def test_a_bad_variable_is_an_error_of_one_line(actorllm, environment):
    environment.setenv("OLLAMA_NUM_PARALLEL", "many")
    result = actorllm("list")
    assert result.status == 1
    assert result.err == (
        "Error: OLLAMA_NUM_PARALLEL='many' cannot be used: use a whole number from 0 to 1024\n"
    )


def test_an_absent_server_elsewhere_is_an_error_that_says_what_to_do(actorllm, environment):
    environment.setenv("ACTORLLM_HOST", "127.0.0.1:1")
    result = actorllm("tree")
    assert result.status == 1
    assert result.err == (
        "Error: no server answers at http://127.0.0.1:1; start one with `actorllm serve` "
        "or set ACTORLLM_HOST\n"
    )


def test_an_interrupt_exits_with_130(actorllm, server):
    def interrupt(_):
        os.kill(os.getpid(), 2)
        return {"models": []}

    server.on("GET", "/api/tags", interrupt)
    assert actorllm("list").status == 130


def test_a_closed_pipe_is_no_trace(server, environment):
    server.on("GET", "/api/tags", {"models": [{"name": "m" * 90}] * 3000})
    environment.setenv("ACTORLLM_HOST", server.address)
    command = f"{sys.executable} -m actorllm.cli.main list | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("NAME")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("closed", "said"), [("<&-", "Yes.\n"), (">&-", ""), ("2>&-", "Yes.\n"), ("<&- >&- 2>&-", "")]
)
def test_a_stream_that_the_caller_has_closed_is_an_empty_one(server, environment, closed, said):
    server.on("POST", "/api/show", {"capabilities": ["completion"]})
    server.on("POST", "/api/generate", [{"response": "Yes.", "done": True}])
    environment.setenv("ACTORLLM_HOST", server.address)
    command = f"{sys.executable} -m actorllm.cli.main run m x {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (said, "")
    assert server.bodies("/api/generate") == [{"model": "m", "prompt": "x"}]


def test_an_output_that_cannot_be_written_is_an_error_of_one_line(server, environment):
    server.on("GET", "/api/tags", {"models": []})
    environment.setenv("ACTORLLM_HOST", server.address)
    command = f"{sys.executable} -m actorllm.cli.main list > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write the output: No space left on device\n"


def modules_after(code):
    """The modules that a program has imported in the end."""
    code = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_start_imports_nothing_heavy():
    names = "[cli.get_command(None, name) for name in cli.list_commands(None)]"
    modules = modules_after(f"from actorllm.cli.main import cli\n{names}")
    heavy = {"httpx", "rich", "prompt_toolkit", "trio", "cattrs", "quart", "llama_cpp", "jinja2"}
    assert modules & heavy == set()


def test_a_table_is_printed_without_a_client_of_the_whole_of_http(server, environment):
    server.on("GET", "/api/tags", {"models": []})
    environment.setenv("ACTORLLM_HOST", server.address)
    modules = modules_after("from actorllm.cli.main import main\nmain(['list'])")
    assert modules & {"httpx", "httpcore", "rich", "trio", "cattrs", "urllib.request"} == set()


def test_a_command_imports_no_other_one():
    modules = modules_after("from actorllm.cli.main import cli\ncli.get_command(None, 'serve')")
    assert {name for name in modules if name.startswith("actorllm.cli.")} == {
        f"actorllm.cli.{name}" for name in ("main", "serve", "errors", "streams", "text")
    }


def test_nothing_of_the_command_line_imports_an_actor_but_serve():
    code = (
        "import sys, pkgutil, importlib, actorllm.cli as c\n"
        "for m in pkgutil.iter_modules(c.__path__): importlib.import_module(f'actorllm.cli.{m.name}')\n"
        "print([m for m in sys.modules if m.startswith(('actorllm.actors', 'actorllm.http'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_completion_is_printed(actorllm, shell):
    assert "_ACTORLLM_COMPLETE" in actorllm("completion", shell).out


def test_model_names_are_completed_from_the_server(server, environment):
    server.on("GET", "/api/tags", {"models": [{"name": "llama:8b"}, {"name": "qwen:4b"}]})
    environment.setenv("ACTORLLM_HOST", server.address)
    environment.setenv("_ACTORLLM_COMPLETE", "bash_complete")
    environment.setenv("COMP_WORDS", "actorllm run q")
    environment.setenv("COMP_CWORD", "2")
    done = subprocess.run(
        [sys.executable, "-m", "actorllm.cli.main"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "plain,qwen:4b\n"
