"""The generated tables of docs/reference: `python -m tests.docs.reference` writes them anew.

A page holds them between two comments:

    <!-- generated: variables -->
    <!-- end -->
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from actorllm.actors.builder.quantizations import QUANTIZATIONS
from actorllm.actors.runner.forms import FORMS
from actorllm.actors.runner.parse import infer
from actorllm.actors.runner.parse.registry import PARSERS
from actorllm.actors.runner.prompt.renderers import RENDERERS
from actorllm.cli.main import cli
from actorllm.protocol.settings import VARIABLES
from tests.parse.deviations import JINJA as ANSWERS
from tests.parse.deviations import WHY
from tests.parse.deviations import deviations as parse_deviations
from tests.prompt.deviations import AS_PYTHON, JINJA, RENDER, TMPLINFO, TRANSFORMERS

__all__ = ["ROOT", "TABLES", "fill", "pages"]

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "goldens"
_MARKED = re.compile(r"(<!-- generated: ([\w/.-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """All pages of the documentation."""
    return sorted((ROOT / "docs").rglob("*.md"))


def fill(text: str) -> str:
    """Return a page with all of its generated parts as they must be."""
    return _MARKED.sub(lambda m: m[1] + TABLES[m[2]]() + m[4], text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    tick = "``" if "`" in text else "`"
    return f"{tick}{_cell(text)}{tick}" if text else ""


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


# Settings and commands


def variables() -> str:
    """The environment."""
    rows = (
        (_code(f"ACTORLLM_{v.name}"), _cell(v.meaning), _code(v.default) or "unset")
        for v in VARIABLES
    )
    return _table(("variable", "meaning", "default"), rows)


def commands() -> str:
    """All commands with their arguments and options."""
    return "\n".join(_commands(click.Context(cli, info_name="actorllm")))


def _commands(parent: click.Context) -> Iterator[str]:
    """Go through the commands of a group, and of the groups in it."""
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield _command(command, context)
        if isinstance(command, click.Group):
            yield from _commands(context)


def _command(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    rows = (_option(p, context) for p in command.params if isinstance(p, click.Option))
    help_ = "\n\n".join(_cell(part) for part in (command.help or "").split("\n\n"))
    path = context.command_path
    return f"## {path}\n\n`{path} {usage}`\n\n{help_}\n\n" + _table(
        ("option", "meaning"), iter([*rows, ("`-h`, `--help`", "Show the help and exit.")])
    )


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    assert record is not None
    return ", ".join(_code(part) for part in record[0].split(", ")), _cell(record[1])


def quantizations() -> str:
    """The types that weights can be quantized to."""
    rows = (
        (
            _code(name),
            f"{kind.bits:g}",
            f"{kind.bits / 8:.2f}",
            "needed" if kind.needs_matrix else "",
        )
        for name, kind in QUANTIZATIONS.items()
    )
    head = ("type", "bits per weight, about", "GB per billion weights", "importance matrix")
    return _table(head, rows)


# Messages


def _messages_of(path: str) -> Callable[[], str]:
    return lambda: _conversation(ROOT / path)


def _conversation(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = [(ast.get_docstring(tree) or "") + "\n"]
    parts += [_message(node) for node in tree.body if _is_message(node)]
    return "\n".join(parts)


def _is_message(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        isinstance(d, ast.Name) and d.id == "message" for d in node.decorator_list
    )


def _message(node: Any) -> str:
    base = ast.unparse(node.bases[0]) if node.bases else ""
    kind = re.fullmatch(r"(Ask|Stream)\[(\w+)\]", base)
    what = f", {'asks for' if kind[1] == 'Ask' else 'a stream of'} `{kind[2]}`" if kind else ""
    text = f"**`{node.name}`**{what}: {_cell(ast.get_docstring(node) or '')}\n"
    fields = "".join(_fields(node.body))
    return f"{text}\n{fields}" if fields else text


def _fields(body: list[ast.stmt]) -> Iterator[str]:
    for at, line in enumerate(body):
        if isinstance(line, ast.AnnAssign):
            after = body[at + 1] if at + 1 < len(body) else None
            doc = after.value.value if _is_doc(after) else ""  # type: ignore[union-attr]
            name = f"- `{ast.unparse(line.target)}`: `{ast.unparse(line.annotation)}`"
            yield f"{name}: {_cell(doc)}\n" if doc else f"{name}\n"


def _is_doc(line: ast.stmt | None) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )


# Families of models


def _cases(file: str) -> Counter[str]:
    cases = json.loads((GOLDENS / file).read_text(encoding="utf-8"))
    return Counter(case["id"].split("/")[1] for case in cases)


def parsers() -> str:
    """The parsers that a model can name."""
    cases = _cases("parse/parse.json")
    rows = (
        (
            _code(name),
            "yes" if info.tools else "",
            "yes" if info.thinking else "",
            " ".join(map(_code, info.preserved)),
            str(cases[name]),
        )
        for name, info in sorted(PARSERS.items())
    )
    return _table(("parser", "tools", "thinking", "marks that it reads", "recorded cases"), rows)


def renderers() -> str:
    """The renderers that a model can name."""
    cases = _cases("prompts/render.json")
    rows = (
        (_code(name), _code(f"{_module(make)}.py"), str(cases[name]))
        for name, make in sorted(RENDERERS.items())
    )
    return _table(("renderer", "file", "recorded cases"), rows)


def _module(make: Any) -> str:
    made_by = make.func if isinstance(make, partial) else make
    return str(made_by.__module__).rpartition(".")[2]


def families() -> str:
    """The families of formats, and the fixtures that prove them."""
    return _table(
        (
            "family",
            "models",
            "template source",
            "calls",
            "thinking",
            "code",
            "`tool_choice`",
            "fixture",
        ),
        map(_family, sorted((GOLDENS / "parse" / "families").iterdir())),
    )


def _family(file: Path) -> tuple[str, ...]:
    fixture = json.loads(file.read_text(encoding="utf-8"))
    name = fixture["family"]
    parsers = [f"`{parser}`" for parser, info in sorted(PARSERS.items()) if info.family == name]
    sources = [*fixture["templates"], *(f"`PARSER` {', '.join(parsers)}" for _ in parsers[:1])]
    return (
        _code(name),
        _cell(fixture["models"]),
        "; ".join(sources) or "any with its marks",
        _cell(fixture["calls"]),
        _cell(fixture["thinking"]),
        _code(fixture["code"]),
        "yes" if name in FORMS else "",
        f"[{file.name}](../../tests/goldens/parse/families/{file.name})",
    )


def marks() -> str:
    """By which marks a Jinja template is known."""
    rows = (
        (str(n), " and ".join(map(_code, marks)))
        for n, (_, marks, _) in enumerate(infer._FAMILIES, 1)
    )
    return _table(("row", "the template contains"), rows)


def jinja_templates() -> str:
    """The Jinja templates whose prompts and answers are recorded."""
    prompts, answers = _cases("prompts/jinja.json"), _cases("parse/jinjaparse.json")
    names = sorted(prompts | answers, key=str.lower)
    rows = ((_cell(name), str(prompts[name]), str(answers[name] or "")) for name in names)
    return _table(("template", "prompts", "answers"), rows)


# Deviations


def deviations() -> str:
    """Where parsers answer otherwise than the reference."""
    counts = Counter(entry["why"] for entry in parse_deviations().values())
    rows = ((_cell(text), str(counts[why])) for why, text in WHY.items())
    return _table(("our answer, and the reference's", "cases"), rows)


def prompt_deviations() -> str:
    """Where prompts and readings are other than the recorded ones, case by case."""
    named = RENDER | TMPLINFO | JINJA | AS_PYTHON | ANSWERS
    rows = [(_code(case), _cell(why)) for case, why in named.items()]
    rows += [(f"transformers: {_code(case)}", _cell(why)) for case, why in TRANSFORMERS.items()]
    return _table(("case", "ours"), iter(rows))


def golden_counts() -> str:
    """How many recorded cases of each kind we answer as recorded."""
    parsed = Counter(case.split("/")[0] for case in parse_deviations())
    ours = {
        "render": RENDER,
        "gotemplate": {},
        "tmplinfo": TMPLINFO,
        "jinja": JINJA,
        "jinjainfo": {},
    }
    rows = [(kind, _count(f"prompts/{kind}"), len(listed)) for kind, listed in ours.items()]
    rows += [(kind, _count(f"parse/{kind}"), parsed[kind]) for kind in sorted(parsed)]
    rows.append(("jinjaparse", _count("parse/jinjaparse"), len(ANSWERS)))
    return _table(
        ("kind", "cases", "as recorded", "as Python's Jinja", "ours"),
        (
            (f"`{kind}`", str(cases), str(cases - own - python), str(python or ""), str(own or ""))
            for kind, cases, own in rows
            for python in [len(AS_PYTHON) if kind == "jinja" else 0]
        ),
    )


def _count(file: str) -> int:
    return len(json.loads((GOLDENS / f"{file}.json").read_text(encoding="utf-8")))


TABLES: dict[str, Callable[[], str]] = (
    {
        "variables": variables,
        "commands": commands,
        "quantizations": quantizations,
        "parsers": parsers,
        "renderers": renderers,
        "families": families,
        "marks": marks,
        "jinja-templates": jinja_templates,
        "deviations": deviations,
        "golden-counts": golden_counts,
        "prompt-deviations": prompt_deviations,
    }
    | {
        f"messages/{name}": _messages_of(f"protocol/messages/{name}.py")
        for name in (
            "generation",
            "prompts",
            "responses",
            "scheduling",
            "models",
            "building",
            "blobs",
            "transfers",
            "archives",
        )
    }
    | {"messages/runner": _messages_of("actors/runner/messages.py")}
)
"""By the name in the comment."""


def main() -> None:
    """Write all pages anew."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        filled = fill(text)
        if filled != text:
            page.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
