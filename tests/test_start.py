"""What a start does without: its time is that of its imports."""

import subprocess
import sys


def imported(code):
    """The modules that a program has imported in the end."""
    code = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


DAEMON = """
import actorllm.cli.serve, actorllm.actors.daemon, actorllm.actors.edge.actor, actorllm.http.app
"""
ENGINES = {"llama_cpp", "llguidance", "numpy", "gguf", "gotpl"}
NETWORK = {"httpx", "httpcore", "anyio", "cryptography"}
TERMINAL = {"prompt_toolkit", "rich.progress", "actorllm.cli.manage"}


def test_a_daemon_starts_without_engines_templates_transfers_and_other_commands():
    ours = {
        f"actorllm.actors.{name}"
        for name in (
            "downloader.source", "uploader.target", "runner.actor", "runner.prompt",
            "runner.parse", "runner.forms", "builder.convert.assemble",
        )
    }  # fmt: skip
    assert imported(DAEMON) & (ENGINES | NETWORK | TERMINAL | ours) == set()


def test_what_a_model_is_is_found_out_without_template_engines_parsers_and_renderers():
    code = f"""{DAEMON}
from actorllm.actors.library.templates import Templates
from actorllm.actors.runner.analysis import ANALYSIS
assert ANALYSIS.choose(Templates(jinja="{{{{ messages }}}}"), None).native
"""
    folder = "actorllm.actors.runner.prompt"
    heavy = {f"{folder}.{name}" for name in ("rendering", "sandbox", "gotemplate", "renderers")}
    assert imported(code) & (ENGINES | heavy) == set()


def test_a_runner_makes_its_first_prompt_without_grammars_go_and_renderers():
    code = """
import actorllm.actors.kernel.child, actorllm.actors.runner.actor
import actorllm.actors.runner.engine.engine
from datetime import datetime
from actorllm.actors.runner.prompt.rendering import render_chat
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.protocol.chat import ChatMessage
templates = PromptTemplates(jinja="{{ messages[0].content }}")
rendered = render_chat(templates, [ChatMessage("user", "hello")], now=datetime(2026, 1, 1))
assert rendered.text == "hello"
"""
    ours = {
        f"actorllm.actors.runner.{name}"
        for name in ("forms", "engine.grammar", "prompt.gotemplate", "prompt.renderers")
    }
    assert imported(code) & ({"llguidance", "gguf", "gotpl"} | NETWORK | TERMINAL | ours) == set()
