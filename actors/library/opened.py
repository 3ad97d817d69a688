"""One model, opened: its files and layers, each read when it is asked for.

It blocks: call it from a thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import attrs

from actorllm.actors.library.capabilities import capabilities
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.content import Content, damaged, read_config, read_content
from actorllm.actors.library.content import read_template as read_template_layer
from actorllm.actors.library.facts import FactsCache, WeightsFacts, joined
from actorllm.actors.library.gguf import Gguf, GgufError, read_gguf
from actorllm.actors.library.manifests import Installed
from actorllm.actors.library.templates import Analysis, Choice, TemplateFacts, Templates
from actorllm.protocol.manifest import ADAPTER, DRAFT, MODEL, PROJECTOR, ModelConfig
from actorllm.protocol.messages.models import BlobAt

__all__ = ["OpenModel", "Sources"]


@attrs.frozen
class Sources:
    """Where the parts of a model come from."""

    catalog: Catalog
    facts: FactsCache
    analysis: Analysis
    go_template: bool | None = None
    """The user's wish for Go templates; None: the abler template wins."""


class OpenModel:
    """A model that was found. Its parts raise `Refused` (500) if they are missing or damaged."""

    def __init__(self, sources: Sources, found: Installed) -> None:
        self.found = found
        self._sources = sources

    @cached_property
    def config(self) -> ModelConfig:
        return read_config(self._sources.catalog, self.found)

    @property
    def is_remote(self) -> bool:
        """Whether it stands for a model on another machine."""
        return bool(self.config.remote_host or self.config.remote_model)

    @cached_property
    def content(self) -> Content:
        return read_content(self._sources.catalog, self.found)

    @cached_property
    def template(self) -> str | None:
        """The Go template, None if there is none."""
        return read_template_layer(self._sources.catalog, self.found)

    @property
    def weights(self) -> BlobAt | None:
        """The file of the weights, the first one if they are split; None: there is none."""
        return self._weights[0] if self._weights else None

    @property
    def splits(self) -> tuple[BlobAt, ...]:
        """The other files of weights that are split, in order."""
        return self._weights[1:]

    @cached_property
    def _weights(self) -> tuple[BlobAt, ...]:
        blobs = self._blobs(MODEL)
        if len(blobs) < 2:
            return blobs
        # A manifest may name them in any order.
        by_number = sorted((self._facts_of(blob).split, i) for i, blob in enumerate(blobs))
        whole = self._facts_of(blobs[by_number[0][1]]).splits
        if whole == 1:
            return blobs[:1]
        if [number for number, _ in by_number] != list(range(whole)):
            raise damaged(self.found.name, f"it lacks some of the {whole} files of its weights")
        return tuple(blobs[i] for _, i in by_number)

    @property
    def parent(self) -> str:
        """Name of the model that the weights were taken from; empty: of none."""
        return next((layer.source for layer in self.found.manifest.of(MODEL)), "")

    @cached_property
    def projectors(self) -> tuple[BlobAt, ...]:
        return self._blobs(PROJECTOR)

    @cached_property
    def adapters(self) -> tuple[BlobAt, ...]:
        return self._blobs(ADAPTER)

    @cached_property
    def drafts(self) -> tuple[BlobAt, ...]:
        return self._blobs(DRAFT)

    @cached_property
    def facts(self) -> WeightsFacts | None:
        """Of the weights; None: there are none."""
        files = [self._facts_of(blob) for blob in self._weights]
        if not files:
            return None
        if len(files) == 1 < files[0].splits:
            raise damaged(
                self.found.name, f"it has one of the {files[0].splits} files of its weights"
            )
        return files[0] if len(files) == 1 else joined(files)

    def header(self, blob: BlobAt) -> Gguf:
        """Read the header of one of its files."""
        with self._readable():
            return read_gguf(Path(blob.path))

    @property
    def chat_template(self) -> str:
        """The Jinja template in the weights; empty: there is none."""
        return "" if self.facts is None else self.facts.chat_template

    @cached_property
    def choice(self) -> Choice:
        """What makes its prompts."""
        templates = Templates(
            go=self.template or "",
            jinja=self.chat_template,
            renderer=self.config.renderer,
            parser=self.config.parser,
            family=self.config.model_family,
        )
        return self._sources.analysis.choose(templates, self._sources.go_template)

    def capabilities(self) -> tuple[str, ...]:
        """List what it can do, with the template that makes its prompts."""
        analysis, jinja = self._sources.analysis, self.chat_template
        if self.choice.native:
            return self._capabilities(None, analysis.jinja(jinja) if jinja else None)
        return self._capabilities(self._template_facts, None)

    def listed_capabilities(self) -> tuple[str, ...]:
        """List what it can do as lists say it: they never look at the template in the weights."""
        return self._capabilities(self._template_facts, None)

    def _capabilities(
        self, template: TemplateFacts | None, jinja: TemplateFacts | None
    ) -> tuple[str, ...]:
        parser = self.config.parser
        return capabilities(
            self.config,
            self.facts,
            projectors=[self._facts_of(blob) for blob in self.projectors],
            template=template,
            jinja=jinja,
            parser=self._sources.analysis.parser(parser) if parser else None,
        )

    @cached_property
    def _template_facts(self) -> TemplateFacts | None:
        return None if self.template is None else self._sources.analysis.go(self.template)

    def _facts_of(self, blob: BlobAt) -> WeightsFacts:
        with self._readable():
            return self._sources.facts.get(blob.digest, Path(blob.path))

    def _blobs(self, media_type: str) -> tuple[BlobAt, ...]:
        found = []
        for layer in self.found.manifest.of(media_type):
            path = self._sources.catalog.blob(layer.digest)
            if path is None:
                kind = media_type.rpartition(".")[2]
                raise damaged(self.found.name, f"its {kind} is missing")
            found.append(BlobAt(layer.digest, str(path), path.stat().st_size))
        return tuple(found)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what is wrong with a file into an answer that does not name it."""
        try:
            yield
        except GgufError as e:
            raise damaged(self.found.name, str(e)) from e
        except OSError as e:
            raise damaged(self.found.name, e.strerror or "a file cannot be read") from e
