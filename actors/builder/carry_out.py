"""Carrying out a creation: read what it is built on, plan, store, write the manifest.

`Creation.steps` is a generator that reports each step before it does it. It may be left after any
report: a manifest is written last and at once, so the model is there whole or as it was. All of it
blocks: take each step in a thread.
"""

from collections.abc import Generator, Iterable, Mapping
from functools import partial

from actorllm.actors.builder.checks import (
    FromFiles,
    FromModel,
    FromRemote,
    check_format,
    check_weights,
    origin_of,
    weights_of,
)
from actorllm.actors.builder.facts import GgufFile
from actorllm.actors.builder.holdings import Holdings
from actorllm.actors.builder.materials import converted, extras, read_files, without_matrix
from actorllm.actors.builder.plan import (
    Base,
    Plan,
    TemplateCheck,
    layer_status,
    plan_from,
    plan_of_files,
    plan_remote,
)
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.content import damaged, read_config, read_content
from actorllm.actors.library.manifests import Installed
from actorllm.protocol.creation import check_create
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MODEL, dump_manifest
from actorllm.protocol.messages.building import Create, CreateStatus

__all__ = ["Creation"]

_Planning = Generator[CreateStatus, None, Plan]


class Creation:
    """One model that is being made.

    Args:
        catalog: Gets the model.
        check_template: Checks Go templates.
        create: The request.

    Raises:
        Refused: The request is invalid by itself: 400.
    """

    def __init__(self, catalog: Catalog, check_template: TemplateCheck, create: Create) -> None:
        self.name = check_create(create)
        """Of the new model, as the request spells it."""
        self._origin = origin_of(create)
        self._catalog = catalog
        self._check = check_template
        self._create = create

    def missing_base(self) -> str | None:
        """Name the model that this one is built on, if it is not here and has to be pulled."""
        origin = self._origin
        if not isinstance(origin, FromModel) or self._catalog.find(origin.name) is not None:
            return None
        return self._create.source

    def steps(self) -> Generator[CreateStatus, None, None]:
        """Make the model.

        Raises:
            Refused: Something cannot be done: 400; files are damaged: 500; the disk is full: 507.
        """
        garbage: Iterable[str] = ()
        try:
            with self._catalog.blobs.lock.pin() as pin:
                holdings = Holdings(self._catalog, pin)
                garbage = holdings.fresh
                plan = yield from self._plan(holdings)
                for planned in plan.layers:
                    existed = holdings.put(planned)
                    yield CreateStatus(layer_status(planned.layer, existed=existed))
                holdings.put(plan.config)
                yield CreateStatus("writing manifest")
                target, manifest = self._catalog.spelling(self.name), plan.manifest()
                # Also what was only a step on the way: weights that were quantized after.
                steps = holdings.fresh - {layer.digest for layer in manifest.blobs()}
                garbage = steps | self._catalog.write(target, dump_manifest(manifest))
            yield CreateStatus("success")
        finally:
            self._catalog.sweep(garbage)

    def _plan(self, holdings: Holdings) -> _Planning:
        origin = self._origin
        if isinstance(origin, FromRemote):
            return plan_remote(self._create, origin, self._check)
        if isinstance(origin, FromFiles):
            return (yield from self._plan_files(origin.files, holdings))
        return (yield from self._plan_model(origin, holdings))

    def _plan_files(self, paths: Mapping[str, str], holdings: Holdings) -> _Planning:
        create = self._create
        paths, matrix = without_matrix(holdings, paths, create)
        check_format(paths, set(filter(holdings.is_gguf, paths.values())))
        files = yield from read_files(holdings, paths, create.quantize)
        check_weights(files)
        beside = yield from extras(holdings, create, weights_of(files)[0].digest)
        plan = partial(plan_of_files, create, check=self._check, adapters=beside.adapters)
        # Planned once before the weights are converted: what is wrong is said at once.
        planned = plan(files=files, drafts=beside.drafts)
        made = yield from converted(holdings, files, create.quantize, matrix)
        drafts = yield from converted(holdings, beside.drafts, create.draft_quantize)
        if made == files and drafts == beside.drafts:
            return planned
        return plan(files=made, drafts=drafts)

    def _plan_model(self, origin: FromModel, holdings: Holdings) -> _Planning:
        create = self._create
        found = holdings.model(origin.name)
        if found is None:
            yield CreateStatus("pulling manifest")
            raise Refused.because(404, "pull model manifest: file does not exist")
        _own(found, holdings)
        base = Base(
            found.name,
            found.manifest,
            read_config(self._catalog, found),
            read_content(self._catalog, found).params,
        )
        models = found.manifest.of(MODEL)
        beside = yield from extras(holdings, create, models[0].digest if models else "")
        plan = partial(plan_from, create, base, self._check, adapters=beside.adapters)
        planned = plan(drafts=beside.drafts)
        weights = _weights_of(found, holdings) if create.quantize else ()
        made = yield from converted(holdings, weights, create.quantize)
        drafts = yield from converted(holdings, beside.drafts, create.draft_quantize)
        if made == weights and drafts == beside.drafts:
            return planned
        return plan(weights=made[0] if made != weights else None, drafts=drafts)


def _own(found: Installed, holdings: Holdings) -> None:
    """Bring the blobs of a base into the user's store, if they are those of the program."""
    for layer in found.manifest.blobs():
        if not holdings.own(layer.digest):
            kind = layer.media_type.rpartition(".")[2].removesuffix("+json")
            raise damaged(found.name, f"its {kind} is missing")


def _weights_of(found: Installed, holdings: Holdings) -> tuple[GgufFile, ...]:
    files = tuple(holdings.file(layer.digest) for layer in found.manifest.of(MODEL))
    check_weights(files)
    return weights_of(files)
