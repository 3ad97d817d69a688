"""What the documentation says of commands, settings, messages, routes and bounds is so."""

import ast
import re
from pathlib import Path

import attrs
import pytest

from actorllm.actors import daemon
from actorllm.protocol.options import Options
from actorllm.protocol.settings import VARIABLES
from tests.docs.reference import ROOT, TABLES, fill, pages

PAGES = [*pages(), ROOT / "README.md"]
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROUTE = re.compile(r'@api\.(get|post|delete|route)\("([^"]+)"(?:, methods=\[([^\]]*)\])?')
BOUND = re.compile(r"`([\w/]+\.py):(\w+) = ([^`]+)`")
PATH = re.compile(r"`((?:actors|protocol|http|cli|tests|examples)/[\w./-]+)`")
VARIABLE = re.compile(r"\b(?:ACTORLLM|OLLAMA)_([A-Z][A-Z_]*[A-Z])\b")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def source_files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_generated_tables_are_in_sync(page):
    text = read(page)
    assert fill(text) == text, "python -m tests.docs.reference writes them anew"


def test_every_generated_table_stands_on_a_page():
    said = "".join(map(read, pages()))
    assert [name for name in TABLES if f"<!-- generated: {name} -->" not in said] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page):
    broken = [
        link
        for link in LINK.findall(read(page))
        if "://" not in link and not link.startswith("mailto:") and not _resolves(page, link)
    ]
    assert broken == []


def _resolves(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page):
    heads = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_can_be_reached_from_the_map():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(read(index))}
    assert [page.name for page in pages() if page != index and page not in linked] == []


def test_the_tree_that_the_tutorial_shows_is_the_daemons():
    listed = re.findall(r"^ {4}[├└]── (\w+)", daemon.__doc__, re.MULTILINE)
    shown = read(ROOT / "docs" / "tutorial" / "first-conversation.md").partition("FACTS\n")[2]
    assert re.findall(r"^[├└]─ (\w+)", shown.partition("```")[0], re.MULTILINE) == listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_of_the_repository_exist(page):
    missing = [path for path in PATH.findall(read(page)) if not (ROOT / path).exists()]
    assert missing == []


def test_variables_in_the_pages_exist():
    known = {v.name for v in VARIABLES} | own_variables_of_tests()
    unknown = {
        f"{page.name}: {name}"
        for page in PAGES
        for name in VARIABLE.findall(read(page))
        if name not in known
    }
    assert unknown == set()


def own_variables_of_tests():
    text = "".join(map(read, source_files("tests")))
    return {name for name in VARIABLE.findall(text) if name.startswith("TEST_")}


def routes():
    for file in source_files("http"):
        for method, path, methods in ROUTE.findall(read(file)):
            named = re.findall(r"\w+", methods) if methods else [method.upper()]
            yield from (f"{name} {path}" for name in named)


def test_every_route_is_described():
    text = read(REFERENCE / "http-api.md")
    missing = [route for route in routes() if f"`{route}`" not in text]
    assert missing == []


def test_every_field_of_a_request_is_described():
    text = read(REFERENCE / "http-api.md")
    missing = [name for name in body_fields() if f"`{name}`" not in text]
    assert missing == []


def test_every_option_is_described_with_its_default():
    table = read(REFERENCE / "http-api.md").partition("### Options\n")[2].partition("\n###")[0]
    told = {}
    for names, defaults in re.findall(r"^\| (`.+?`) \| (.+?) \| ", table, re.MULTILINE):
        keys = re.findall(r"`(\w+)`", names)
        each = re.findall(r"`.+?`|[^, ]+", defaults)
        told |= dict(
            zip(keys, each, strict=True) if len(each) == len(keys) else dict.fromkeys(keys)
        )
    ours = attrs.fields_dict(Options)
    assert set(told) == set(ours)
    numbers = {name: text for name, text in told.items() if text and text[-1].isdigit()}
    kept = {name: float(ours[name].default) for name in numbers if ours[name].default is not None}
    assert len(kept) > 20
    assert {name: float(numbers[name]) for name in kept} == kept


def body_fields():
    for file in [*source_files("http/ollama"), *source_files("http/openai")]:
        for node in ast.parse(read(file)).body:
            if isinstance(node, ast.ClassDef) and _is_body(node):
                yield from (_key(line) for line in node.body if isinstance(line, ast.AnnAssign))


def _is_body(node):
    return any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "body"
        for d in node.decorator_list
    )


def _key(line):
    for keyword in line.value.keywords if isinstance(line.value, ast.Call) else ():
        if keyword.arg == "key":
            return keyword.value.value
    return line.target.id


def test_bounds_are_those_of_the_code():
    bounds = BOUND.findall(read(REFERENCE / "limits.md"))
    assert len(bounds) > 60
    wrong = [
        f"{file}: {name} = {value}"
        for file, name, value in bounds
        if f"{name} = {value}" not in _constants(ROOT / file)
    ]
    assert wrong == []


def _constants(file):
    if not file.exists():
        return set()
    found = set()
    for node in ast.walk(ast.parse(read(file))):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            found.add(f"{ast.unparse(node.target)} = {ast.unparse(node.value)}")
        elif isinstance(node, ast.Assign):
            value = ast.unparse(node.value)
            found |= {f"{ast.unparse(target)} = {value}" for target in node.targets}
    return found
