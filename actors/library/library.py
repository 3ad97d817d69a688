"""Answers about models: what the library actor says, without the actor.

It blocks: call it from a thread.
"""

from pathlib import Path

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
    digest: str
    modified: int
    stamps: tuple[tuple[int, int] | None, ...]
    """Size and time of the weights; the row is right while they are the same."""
    row: ModelRow


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
        self._listed: dict[Name, _Listed] = {}

    def models(self) -> ModelList:
        """List all models, newest first."""
        models, unreadable = self.catalog.models()
        problems = [f"{found.name.short()}: {found.reason}" for found in unreadable]
        listed: dict[Name, _Listed] = {}
        for found in models:
            try:
                listed[found.name] = self._list(found)
            except Refused as e:
                problems.append(e.problem.text)
        self._listed = listed
        self._sources.facts.save()
        return ModelList(tuple(known.row for known in listed.values()), tuple(problems))

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
        stamps = self._stamps(found)
        known = self._listed.get(found.name)
        if (
            known is not None
            and known.digest == found.digest
            and known.modified == found.modified
            and known.stamps == stamps
        ):
            return known
        return _Listed(found.digest, found.modified, stamps, self._row(found))

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

    def _stamps(self, found: Installed) -> tuple[tuple[int, int] | None, ...]:
        return tuple(self._stamp(layer.digest) for layer in found.manifest.of(MODEL))

    def _stamp(self, digest: str) -> tuple[int, int] | None:
        found = self.catalog.stat(digest)
        return None if found is None else (found.st_size, found.st_mtime_ns)
