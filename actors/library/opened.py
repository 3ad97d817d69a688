"""One model, opened: its files and layers, each read when it is asked for.

It blocks: call it from a thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import attrs

from actorllm.actors.library.capabilities import Abilities, capabilities, is_harmony
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.content import Content, damaged, read_config, read_content
from actorllm.actors.library.content import read_template as read_template_layer
from actorllm.actors.library.facts import FactsCache, WeightsFacts
from actorllm.actors.library.gguf import Gguf, GgufError, read_gguf
from actorllm.actors.library.manifests import Installed
from actorllm.actors.library.templates import TemplateFacts, uses_jinja
from actorllm.protocol.manifest import ADAPTER, DRAFT, MODEL, PROJECTOR, ModelConfig
from actorllm.protocol.messages.models import BlobAt

__all__ = ["Analysis", "OpenModel", "Sources"]


@attrs.frozen
class Analysis:
    """What others know of templates and parsers."""

    template: Callable[[str], TemplateFacts]
    """Facts of a Go template; of one that does not parse: none of them."""
    parser: Callable[[str], Abilities]
    """Of a parser by its name; of an unknown one: nothing."""


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

    @cached_property
    def weights(self) -> BlobAt | None:
        """The file of the weights; None: the manifest names none."""
        return next(iter(self._blobs(MODEL)), None)

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
        return None if self.weights is None else self._facts_of(self.weights)

    def header(self, blob: BlobAt) -> Gguf:
        """Read the header of one of its files."""
        with self._readable():
            return read_gguf(Path(blob.path))

    @cached_property
    def jinja(self) -> TemplateFacts | None:
        """Facts of the template in the weights; None: there is none."""
        return None if self.facts is None else self.facts.jinja

    @cached_property
    def is_native(self) -> bool:
        """Whether the template in the weights (or the fallback for one) makes the prompts."""
        if self.config.renderer or self.config.parser or self.is_harmony:
            return False
        wish = self._sources.go_template
        return uses_jinja(self._template_facts, self.jinja, go_template=wish)

    @property
    def is_harmony(self) -> bool:
        return is_harmony(self.config, self.template)

    def capabilities(self) -> tuple[str, ...]:
        """List what it can do, with the template that makes its prompts."""
        native = self.is_native
        return self._capabilities(
            None if native else self._template_facts, self.jinja if native else None
        )

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
        return None if self.template is None else self._sources.analysis.template(self.template)

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
