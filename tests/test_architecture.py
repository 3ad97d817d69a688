"""The folders are the architecture: who may import whom, and what each folder is."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("protocol", "actors", "http", "cli")
MODULES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
MAX_LINES = 390


def name_of(file):
    """The dotted name of a module or package, without `actorllm.`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def all_imports(tree, package):
    """Every module that is imported, anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            yield ".".join([*above, *filter(None, [node.module])])


def imports_of(file):
    package = ".".join(("actorllm", *file.parent.relative_to(ROOT).parts))
    return sorted(set(all_imports(ast.parse(file.read_bytes()), package)))


IMPORTS = {name_of(file): imports_of(file) for file in MODULES}


def ours(module):
    """What it imports of this package, without `actorllm.`."""
    prefix = "actorllm."
    return [name.removeprefix(prefix) for name in IMPORTS[module] if name.startswith(prefix)]


def is_in(name, *rooms):
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def offenders(room, *allowed):
    """The imports of a room that lie outside of what is allowed."""
    return [
        f"{module} imports {name}"
        for module in IMPORTS
        if is_in(module, room)
        for name in ours(module)
        if not is_in(name, *allowed)
    ]


def test_the_protocol_imports_nothing_else_of_ours():
    assert not offenders("protocol", "protocol")


def test_the_protocol_does_no_io():
    io = ("trio", "anyio", "asyncio", "socket", "ssl", "subprocess", "httpx", "shutil", "tempfile")
    assert not [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        if is_in(module, "protocol")
        for name in names
        if is_in(name, *io)
    ]


def test_the_kernel_knows_nothing_of_models():
    allowed = ("protocol.codec", "protocol.errors", "protocol.version")
    assert not offenders("actors.kernel", "actors.kernel", *allowed)


def test_actors_import_neither_http_nor_the_cli():
    assert not offenders("actors", "actors", "protocol")


@pytest.mark.parametrize("room", ["http", "cli"])
def test_the_rim_reaches_actors_through_the_kernel_and_the_daemon_only(room):
    allowed = ["protocol", "actors.kernel", "actors.daemon", room]
    if room == "cli":
        allowed.append("http")  # `serve` hands the application to the daemon
    assert not offenders(room, *allowed)


def test_faults_simulations_and_the_test_kit_are_imported_on_request_only():
    extras = ("faults", "fault_plan", "in_memory", "simulate", "testkit")
    names = [f"actorllm.actors.kernel.{extra}" for extra in extras]
    for file in MODULES:
        if name_of(file) in {name.removeprefix("actorllm.") for name in names}:
            continue
        top = ast.parse(file.read_bytes()).body  # an import within a function is the request
        at_once = [node.module for node in top if isinstance(node, ast.ImportFrom)]
        assert not set(at_once) & set(names), file


def test_http_is_a_namespace_folder():
    # A regular package there would hide the standard library's `http` from all who run Python
    # in the repository's root.
    assert not (ROOT / "http" / "__init__.py").exists()
    code = "import http.client, sys; print(http.client.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not Path(done.stdout.strip()).is_relative_to(ROOT / "http")


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_typed(room):
    assert (ROOT / room / "py.typed").is_file()


def test_no_module_is_long():
    lines = {name_of(file): len(file.read_bytes().splitlines()) for file in MODULES}
    assert not {module: count for module, count in lines.items() if count > MAX_LINES}


def exports_of(file):
    """The names in `__all__`; None if there is none."""
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


EXPORTS = {name_of(file): exports_of(file) for file in MODULES}


def test_modules_say_what_they_are_for_others():
    silent = {name_of(file) for file in MODULES if file.name != "__init__.py"}
    assert not {module for module in silent if EXPORTS[module] is None}


def test_modules_take_of_each_other_only_what_is_exported():
    taken = {
        (node.module.removeprefix("actorllm."), alias.name)
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module and is_in(node.module, "actorllm")
        for alias in node.names
    }
    assert not {
        f"{module}.{name}"
        for module, name in taken
        if name not in (EXPORTS.get(module) or ()) and f"{module}.{name}" not in EXPORTS
    }


def test_modules_say_what_they_are():
    silent = [
        name_of(file)
        for file in MODULES
        if file.stat().st_size and not ast.get_docstring(ast.parse(file.read_bytes()))
    ]
    assert not silent


MAPS = [ROOT / "http" / "app.py", *(file for file in MODULES if file.name == "__init__.py")]
MAPS.remove(ROOT / "actors" / "__init__.py")  # empty: `actors/daemon.py` and the docs have its map
ENTRY = re.compile(r"^ *(\w[\w./]*(?: \w[\w./]*)*)  +\S", re.MULTILINE)
"""A line of a map: one name or several, and behind two spaces what they are."""
NAMED = re.compile(r"(\w+)(?:\.py\b|/|[,:]| \()")
"""One of several names in a line, or one that is told in passing."""


@pytest.mark.parametrize("home", MAPS, ids=name_of)
def test_the_map_of_a_package_names_each_of_its_modules_and_no_others(home):
    told = ast.get_docstring(ast.parse(home.read_bytes()))
    modules = {file.stem for file in home.parent.glob("*.py")} - {home.stem}
    packages = {file.parent.name for file in home.parent.glob("*/*.py")}
    entries = [name.removesuffix(".py") for line in ENTRY.findall(told) for name in line.split()]
    beside = NAMED.findall(told)
    assert (modules | packages) - {*entries, *beside} == set()
    folders = {f"{path.name}/" for path in home.parent.iterdir() if path.is_dir()}
    assert set(entries) <= modules | folders
    assert len(entries) == len(set(entries))


def test_all_packages_are_listed_for_the_build():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(("actorllm", *file.parent.relative_to(ROOT).parts)) for file in MODULES}
    assert set(listed) == folders
    assert listed == sorted(listed)
