"""The commands on the pages exist, with the options that they are given there."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from actorllm.cli.main import cli
from tests.docs.reference import ROOT, pages

PAGES = [ROOT / "README.md", *pages()]
SESSION = re.compile(r"^```text\n\$ (.*)\n((?:.*\n)*?)```$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n((?:.*\n)*?)```$", re.MULTILINE)
ENDS = {"&&", "||", "|", ";", "&", "(", ")", "}", "{"}
ASSIGNMENT = re.compile(r"[A-Z_]+=")


def commands(page: Path) -> list[list[str]]:
    """The simple commands of a page's shell blocks, each as its words."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            found += simple(line)
    return found


def simple(line: str) -> list[list[str]]:
    """The commands of a line; none if it is a part of a text of several lines."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        words = list(lexer)
    except ValueError:  # a quotation that does not end here
        return []
    for word in words:
        if word in ENDS:
            found.append([])
        elif found[-1] or not ASSIGNMENT.match(word):
            found[-1].append(word)
    return [words for words in found if words]


def invoked(program: str) -> list[pytest.param]:
    return [
        pytest.param(words, id=f"{page.name}: {' '.join(words)}")
        for page in PAGES
        for words in commands(page)
        if Path(words[0]).name == program
    ]


@pytest.mark.parametrize("words", invoked("actorllm"))
def test_a_command_takes_the_arguments_that_a_page_gives_it(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The files that options look for: one that a page has its reader write, and our own.
    (tmp_path / "faults.toml").touch()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command, arguments, context = cli, words[1:], None
    while isinstance(command, click.Group):
        name, command, arguments = command.resolve_command(
            click.Context(command, parent=context), arguments
        )
    command.make_context(name, arguments)  # raises click.UsageError


@pytest.mark.parametrize("words", invoked("python"))
def test_a_module_that_a_page_runs_is_there(words):
    assert words[1] == "-m"
    if words[2] != "pytest":
        assert find_spec(words[2]) is not None
        return
    assert all((ROOT / path).exists() for path in words[3:] if not path.startswith("-"))


@pytest.mark.parametrize("words", invoked("make"))
def test_a_chore_that_a_page_names_is_one_of_the_makefile(words):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{chore}:", makefile, re.MULTILINE) for chore in words[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_says_what_a_page_shows_below_it(page, tmp_path):
    for command, said in SESSION.findall(page.read_text(encoding="utf-8")):
        done = subprocess.run(
            ["bash", "-c", command.replace("actorllm ", f"{sys.executable} -m actorllm.cli.main ")],
            env=os.environ | {"ACTORLLM_STATE": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout + done.stderr == said


def test_the_pages_have_such_commands():
    assert len(invoked("actorllm")) > 40
    assert len(invoked("python")) > 20
    assert invoked("make")
