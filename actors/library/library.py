"""Answers about models: what the library actor says, without the actor.

It blocks: call it from a thread.
"""

import secrets
from pathlib import Path
from threading import Lock

import attrs

from actorllm.actors.library import naming
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.details import model_info
from actorllm.actors.library.facts import FactsCache
from actorllm.actors.library.manifests import Installed
from actorllm.actors.library.opened import OpenModel, Sources
from actorllm.actors.library.resolve import resolved_model
from actorllm.actors.library.show import model_details
from actorllm.actors.library.templates import Analysis
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MODEL
from actorllm.protocol.messages.models import (
    CopyModel,
    DeleteModel,
    ModelCopied,
    ModelDeleted,
    ModelDetails,
    ModelList,
    ModelRow,
    ResolvedModel,
    ResolveModel,
    ShowModel,
)
from actorllm.protocol.names import Name

__all__ = ["Library"]


@attrs.frozen
class _Listed:
    """A row, and what it was made of: it is right while that is the same."""

    found: Installed
    """Kept, so that nothing else gets its identity."""
    weights: tuple[str, ...]
    """Digests."""
    stamps: tuple[tuple[int, int] | None, ...]
    """Size and time of each of the weights."""
    row: ModelRow


class _Versions:
    """Gives lists their versions; several threads ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._own = secrets.token_hex(8)
        """Tells the versions of this process from those before a restart."""
        self._count = 0
        self._rows: tuple[ModelRow, ...] = ()

    def of(self, rows: tuple[ModelRow, ...]) -> str:
        """Return the last version for the same rows, else a new one."""
        with self._lock:
            if rows != self._rows:
                self._rows = rows
                self._count += 1
            return f"{self._own}-{self._count}"


class Library:
    """Lists, shows, resolves, copies and deletes models.

    Args:
        catalog: The models.
        analysis: Of templates and parsers.
        go_template: The user's wish for Go templates; None: the abler template wins.
        cache: File that keeps facts of weights; None: they are read again after each start.
    """

    def __init__(
        self,
        catalog: Catalog,
        analysis: Analysis,
        *,
        go_template: bool | None = None,
        cache: Path | None = None,
    ) -> None:
        self.catalog = catalog
        self._sources = Sources(catalog, FactsCache(cache), analysis, go_template)
        self._listed: dict[int, _Listed] = {}
        """By the identities of what was found: the catalog returns the same object while the file of
        the manifest is the same."""
        self._versions = _Versions()

    def models(self, known: str = "") -> ModelList:
        """List all models, newest first.

        Args:
            known: Version of a list; if it is this one, it comes without its rows.
        """
        models, unreadable = self.catalog.models()
        problems = [f"{found.name.short()}: {found.reason}" for found in unreadable]
        listed: dict[int, _Listed] = {}
        for found in models:
            try:
                listed[id(found)] = self._list(found)
            except Refused as e:
                problems.append(e.problem.text)
        self._listed = listed
        self._sources.facts.save()
        rows = tuple(one.row for one in listed.values())
        version = self._versions.of(rows)
        return ModelList(() if version == known else rows, tuple(problems), version)

    def show(self, ask: ShowModel) -> ModelDetails:
        """Say everything about a model.

        Raises:
            Refused: Its name is empty or invalid: 400; it is not here: 404; it is a stand-in for
                one in the cloud: 403; its files are damaged: 500.
        """
        name = naming.shown_name(ask.model)
        model = self._open(name, naming.CLOUD_DETAILS)
        if model is None:
            raise naming.not_found(name.short(), "chat")
        return model_details(model, ask)

    def resolve(self, ask: ResolveModel) -> ResolvedModel:
        """Find a model and everything that running it needs.

        Raises:
            Refused: As `show`, in the words of the endpoint.
        """
        model = self._open(naming.wanted_name(ask.model, ask.purpose), naming.CLOUD_MODEL)
        if model is None:
            raise naming.not_found(ask.model, ask.purpose)
        return resolved_model(model)

    def copy(self, ask: CopyModel) -> ModelCopied:
        """Give a model a second name.

        Raises:
            Refused: A name is invalid: 400; there is no such source: 404; the disk is full: 507.
        """
        source = naming.copied_name(ask.source, "source")
        made = self.catalog.copy(source, naming.copied_name(ask.destination, "destination"))
        if made is None:
            raise Refused.because(404, f'model "{ask.source}" not found')
        return ModelCopied(made.short())

    def delete(self, ask: DeleteModel) -> ModelDeleted:
        """Forget a model.

        Raises:
            Refused: Its name is empty or invalid: 400; it is not here: 404; it is built in: 403.
        """
        freed = self.catalog.delete(naming.deleted_name(ask.model))
        if freed is None:
            raise Refused.because(404, f"model '{ask.model}' not found")
        return ModelDeleted(freed)

    def _open(self, name: Name, cloud: str) -> OpenModel | None:
        found = self.catalog.find(name)
        if found is None:
            return None
        model = OpenModel(self._sources, found)
        if model.is_remote:
            raise Refused.because(403, cloud)
        return model

    def _list(self, found: Installed) -> _Listed:
        known = self._listed.get(id(found))
        weights = known.weights if known is not None else _weights(found)
        stamps = tuple(map(self._stamp, weights))
        if known is not None and known.stamps == stamps:
            return known
        return _Listed(found, weights, stamps, self._row(found))

    def _row(self, found: Installed) -> ModelRow:
        model = OpenModel(self._sources, found)
        config = model.config
        facts = None if model.is_remote else model.facts
        return ModelRow(
            name=found.name.short(),
            digest=found.digest,
            modified_at=found.modified,
            size=found.manifest.size,
            details=model_info(config, facts, parent=model.parent, lengths=True),
            capabilities=config.capabilities if facts is None else model.listed_capabilities(),
            remote_model=config.remote_model,
            remote_host=config.remote_host,
            namespace=found.name.namespace,
        )

    def _stamp(self, digest: str) -> tuple[int, int] | None:
        found = self.catalog.stat(digest)
        return None if found is None else (found.st_size, found.st_mtime_ns)


def _weights(found: Installed) -> tuple[str, ...]:
    return tuple(layer.digest for layer in found.manifest.of(MODEL))
