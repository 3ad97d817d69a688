"""`actorllm create`: a model from a Modelfile."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from actorllm.cli.daemon import connect, read_settings
from actorllm.cli.errors import Failure
from actorllm.cli.progress import Report
from actorllm.cli.sources import find_source, source_files, upload
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json

if TYPE_CHECKING:
    from actorllm.cli.client import Client
    from actorllm.protocol.modelfile import Recipe

__all__ = ["create"]

_HERE = b"FROM .\n"


@click.command()
@click.argument("model")
@click.option(
    "-f",
    "--file",
    default="",
    metavar="PATH",
    help="The Modelfile, - for standard input.  [default: Modelfile, else the files here]",
)
@click.option(
    "-q",
    "--quantize",
    default="",
    metavar="TYPE",
    help="Quantize to this type: q4_K_M, q8_0, q6_K, iq4_XS, f16, bf16 or any other of llama.cpp's.",
)
@click.option("--draft-quantize", default="", metavar="TYPE", help="Quantize the draft model.")
@click.option(
    "--copy", is_flag=True, help="Copy files into the store where they could share its disk space."
)
def create(model: str, file: str, quantize: str, draft_quantize: str, copy: bool) -> None:
    """Create a model from a Modelfile.

    Its least is one line: FROM, and the name of a model, a GGUF file, or a folder of safetensors.

    Files on the disk of the server's models take no further space: their blocks are shared, or they
    are linked. Do not write to a linked file afterwards, or give --copy.
    """
    recipe, folder = _read(file)
    for warning in recipe.warnings:
        click.echo(one_line(warning), err=True)
    client = connect()
    with Report() as report:
        files = _Files(client, folder, report, None if copy else _local_store(client))
        request = {"model": model} | _request(recipe, files)
        request |= {"quantize": quantize} if quantize else {}
        request |= {"draft_quantize": draft_quantize} if draft_quantize else {}
        with client.stream("/api/create", request) as items:
            for item in items:
                report.show(item)


def _read(file: str) -> "tuple[Recipe, Path]":
    """Return the recipe, and the folder that its paths start from."""
    from actorllm.protocol.modelfile import (
        MAX_MODELFILE,
        ModelfileError,
        parse_modelfile,
        recipe_of,
    )

    path = Path(file or "Modelfile")
    try:
        if file == "-":
            source, path = sys.stdin.buffer.read(MAX_MODELFILE + 1), Path("Modelfile")
        elif not file and not path.exists():
            source = _HERE
        else:
            with path.open("rb") as opened:
                source = opened.read(MAX_MODELFILE + 1)
        return recipe_of(parse_modelfile(source)), path.parent
    except OSError as e:
        raise Failure(f"cannot read the Modelfile {one_line(str(path))}: {e.strerror}") from e
    except ModelfileError as e:
        raise Failure(one_line(str(e))) from e


def _local_store(client: "Client") -> Path | None:
    """Return the folder of models of a server on this machine, as far as we know it."""
    return read_settings().models if client.address.is_local else None


def _request(recipe: "Recipe", files: "_Files") -> Json:
    """Upload what the recipe names, and return the fields of the request that it fills."""
    from actorllm.protocol.names import parse_name

    names = [s for s in recipe.sources if s and find_source(s, files.folder) is None]
    if len(set(names)) > 1:
        raise Failure(f"FROM names more than one model: {one_line(', '.join(names))}")
    sources = [source for source in recipe.sources if source and source not in names]
    if names and not parse_name(names[0]).is_valid:
        raise Failure(
            f"FROM: there is no file {one_line(names[0])!r}, and no model has such a name"
        )
    if sources and names:
        raise Failure(f"FROM names files, and {one_line(names[0])!r}, which is no file here")
    fields: Json = {
        "from": names[0] if names else "",
        "files": files.upload(sources),
        "adapters": files.upload(recipe.adapters),
        "draft_files": files.upload(recipe.drafts),
        "template": recipe.template,
        "system": recipe.system,
        "license": list(recipe.licenses),
        "parameters": recipe.parameters,
        "messages": [{"role": m.role, "content": m.content} for m in recipe.messages],
        "renderer": recipe.renderer,
        "parser": recipe.parser,
        "requires": recipe.requires,
    }
    return {key: value for key, value in fields.items() if value}


@attrs.frozen
class _Files:
    """Where the files of a recipe are, and where they go."""

    client: "Client"
    folder: Path
    """The Modelfile's."""
    report: Report
    store: Path | None
    """See `upload`."""

    def upload(self, sources: "list[str] | tuple[str, ...]") -> dict[str, str]:
        """Upload files and folders; return the digest of each file by its name."""
        digests: dict[str, str] = {}
        for source in sources:
            path = find_source(source, self.folder)
            if path is None:
                raise Failure(f"there is no file {one_line(source)!r}")
            for name, file in _found(path).items():
                digest = upload(self.client, file, self.report, self.store)
                if digests.setdefault(name, digest) != digest:
                    raise Failure(f"two files are called {one_line(name)!r}; rename one")
        return digests


def _found(path: Path) -> dict[str, Path]:
    try:
        return source_files(path)
    except OSError as e:
        raise Failure(f"cannot read {one_line(str(path))}: {e.strerror}") from e
