"""The code in the documentation runs, and prints what the page says.

The Python blocks of a page are one program, run in an empty folder. What stands after the language
of a block says what is done with it:

    ```python                     a part of the program
    ```python title="shop.py"     a file beside it (any language)
    ```text title="output"        what the program prints, in parts
    ```python no-run              neither
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
TITLE = re.compile(r'title="([\w.-]+)"')


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def runs(language, info):
    return language == "python" and "no-run" not in info and not TITLE.search(info)


PAGES = [
    page
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if any(runs(language, info) for language, info, _ in blocks(page))
]


def run(program, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, tmp_path):
    program, said = [], []
    for language, info, code in blocks(page):
        title = TITLE.search(info)
        if runs(language, info):
            program.append(code)
        elif title and title[1] == "output":
            said.append(code)
        elif title:
            (tmp_path / title[1]).write_text(code, encoding="utf-8")
    (tmp_path / "page.py").write_text("\n".join(program), encoding="utf-8")
    done = run(tmp_path / "page.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(said)


def test_the_pages_of_the_kernel_are_among_them():
    names = {page.name for page in PAGES}
    assert {"kernel.md", "inject-faults.md", "test-one-actor.md"} <= names


def test_the_example_of_one_actor_runs(tmp_path):
    done = run(ROOT / "examples" / "one_actor.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hello to you (attempt 2)" in done.stdout
