"""`actorllm show`: what a model is."""

import json
import sys
from typing import Any

import click

from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect
from actorllm.cli.errors import Failure
from actorllm.cli.tables import section
from actorllm.cli.text import one_line, safe
from actorllm.cli.units import count
from actorllm.cli.wire import Json

__all__ = ["describe", "show"]

_MOST_INPUT = 32 << 20
"""Characters of a conversation."""
_HEAD_LINES = 2
_HEAD_ITEMS = 3
Rows = list[tuple[str, ...]]


def describe(model: Json, *, verbose: bool = False) -> str:
    """Lay out an answer of `/api/show` in sections."""
    info = model.get("model_info") or {}
    blocks = [
        section("Model", _model(model, info)),
        section("Capabilities", [(str(c),) for c in model.get("capabilities") or []]),
        section("Projector", _projector(model.get("projector_info") or {})),
        section("Parameters", _parameters(str(model.get("parameters") or ""))),
    ]
    if verbose:
        blocks += [
            section("Metadata", [(key, _preview(info[key])) for key in sorted(info)]),
            section("Tensors", [_tensor(t) for t in model.get("tensors") or []]),
        ]
    blocks += [
        section("System", _head(str(model.get("system") or ""))),
        section("License", _head(str(model.get("license") or ""))),
    ]
    return "".join(blocks)


def _model(model: Json, info: Json) -> Rows:
    details = model.get("details") or {}
    architecture = info.get("general.architecture") or details.get("family")
    size = details.get("parameter_size") or _count(info.get("general.parameter_count"))
    rows = [
        ("architecture", architecture),
        ("parameters", size),
        ("context length", info.get(f"{architecture}.context_length")),
        ("embedding length", info.get(f"{architecture}.embedding_length")),
        ("quantization", details.get("quantization_level")),
        ("requires", model.get("requires")),
    ]
    return [(name, str(value)) for name, value in rows if value]


def _projector(info: Json) -> Rows:
    architecture = info.get("general.architecture")
    kind = (
        f"{architecture}.{'audio' if info.get(f'{architecture}.has_audio_encoder') else 'vision'}"
    )
    rows = [
        ("architecture", architecture),
        ("parameters", _count(info.get("general.parameter_count"))),
        ("embedding length", info.get(f"{kind}.embedding_length")),
        ("dimensions", info.get(f"{kind}.projection_dim")),
    ]
    return [(name, str(value)) for name, value in rows if value]


def _count(value: Any) -> str:
    return count(value) if isinstance(value, int) else ""


def _parameters(text: str) -> Rows:
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return [(pair[0], pair[1].rstrip()) for pair in pairs if len(pair) == 2]


def _preview(value: Any) -> str:
    if not isinstance(value, list):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    head = ", ".join(json.dumps(item, ensure_ascii=False) for item in value[:_HEAD_ITEMS])
    more = len(value) - _HEAD_ITEMS
    return f"[{head}, ...+{more} more]" if more > 0 else f"[{head}]"


def _tensor(tensor: Json) -> tuple[str, str, str]:
    shape = " ".join(map(str, tensor.get("shape") or []))
    return str(tensor.get("name", "")), str(tensor.get("type", "")), f"[{shape}]"


def _head(text: str) -> Rows:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows: Rows = [(line,) for line in lines[:_HEAD_LINES]]
    return [*rows, ("...",)] if len(lines) > _HEAD_LINES else rows


def _render(name: str) -> None:
    """Print a prompt; what made it goes to the standard error."""
    made = connect().post("/api/render", {"model": name, "messages": _messages()})
    click.echo(safe(str(made.get("prompt") or ""), sys.stdout))
    tokens = len(made.get("tokens") or [])
    facts = [f"{tokens} tokens", f"{made.get('template')}: {made.get('reason')}"]
    for fact in [*facts, *map(str, made.get("notices") or [])]:
        click.echo(one_line(fact), err=True)


def _messages() -> list[Json]:
    """Read the conversation to be rendered."""
    text = "" if sys.stdin.isatty() else sys.stdin.read(_MOST_INPUT + 1)
    if not text.strip():
        return [{"role": "user", "content": "Hello!"}]
    if len(text) > _MOST_INPUT:
        raise Failure(f"standard input has more than {_MOST_INPUT} characters")
    try:
        messages = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise Failure("standard input is not JSON; give an array of messages") from e
    if not isinstance(messages, list):
        raise Failure("standard input is not a JSON array; give an array of messages")
    return messages


@click.command()
@click.argument("name", metavar="MODEL", type=MODEL)
@click.option("--license", is_flag=True, help="Print the license only.")
@click.option("--modelfile", is_flag=True, help="Print the Modelfile only.")
@click.option("--parameters", is_flag=True, help="Print the parameters only.")
@click.option("--template", is_flag=True, help="Print the template only.")
@click.option("--system", is_flag=True, help="Print the system message only.")
@click.option(
    "--render",
    is_flag=True,
    help="Print the prompt of the messages on standard input (a JSON array), or of a greeting.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print metadata and tensors, too.")
def show(name: str, verbose: bool, **parts: bool) -> None:
    """Show what a model is."""
    chosen = [part for part, wanted in parts.items() if wanted]
    if len(chosen) > 1:
        raise click.UsageError(f"use only one of {', '.join(f'--{part}' for part in chosen)}")
    if parts.pop("render"):
        _render(name)
        return
    model = connect().show(name, verbose=verbose)
    if chosen:
        click.echo(safe(str(model.get(chosen[0]) or ""), sys.stdout))
    else:
        click.echo(describe(model, verbose=verbose), nl=False)
