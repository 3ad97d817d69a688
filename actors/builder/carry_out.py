"""Carrying out a creation: read what it is built on, plan, store, write the manifest.

`Creation.steps` is a generator that reports each step before it does it. It may be left after any
report: a manifest is written last and at once, so the model is there whole or as it was. All of it
blocks: take each step in a thread.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from actorllm.actors.blobs.pins import Pin
from actorllm.actors.blobs.writer import Stored
from actorllm.actors.builder.checks import (
    FromFiles,
    FromModel,
    FromRemote,
    check_adapters,
    check_format,
    check_matrix,
    check_weights,
    origin_of,
    quantization_of,
    unquantized,
    weights_of,
)
from actorllm.actors.builder.converting import convert, holds_checkpoint
from actorllm.actors.builder.facts import GgufFile, gguf_facts
from actorllm.actors.builder.plan import (
    Base,
    Plan,
    PlannedLayer,
    TemplateCheck,
    layer_status,
    plan_from,
    plan_of_files,
    plan_remote,
)
from actorllm.actors.builder.quantizing import quantize
from actorllm.actors.library.catalog import Catalog
from actorllm.actors.library.content import damaged, read_config, read_content
from actorllm.actors.library.gguf import Gguf, GgufError, is_gguf, read_gguf
from actorllm.actors.library.manifests import Installed
from actorllm.protocol.creation import check_create
from actorllm.protocol.errors import Refused
from actorllm.protocol.manifest import MODEL, Layer, dump_manifest
from actorllm.protocol.messages.building import Create, CreateStatus
from actorllm.protocol.names import parse_digest

__all__ = ["Creation"]

_MAX_REASON: Final = 300


@attrs.frozen
class _Extras:
    """What a model has beside its base."""

    adapters: tuple[GgufFile, ...]
    drafts: tuple[GgufFile, ...]


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
        self._fresh: set[str] = set()
        """Blobs that are in the user's store because of this creation."""
        self._converted_to: set[str] = set()
        """Those of them that were made of other blobs."""

    def missing_base(self) -> str | None:
        """Name the model that this one is built on, if it is not here and has to be pulled."""
        origin = self._origin
        if not isinstance(origin, FromModel) or self._catalog.find(origin.name) is not None:
            return None
        return self._create.source

    def steps(self) -> Iterator[CreateStatus]:
        """Make the model.

        Raises:
            Refused: Something cannot be done: 400; files are damaged: 500; the disk is full: 507.
        """
        garbage: Iterable[str] = self._fresh
        try:
            with self._catalog.blobs.lock.pin() as pin:
                plan = yield from self._plan(pin)
                yield from self._store(plan, pin)
                yield CreateStatus("writing manifest")
                target, manifest = self._catalog.spelling(self.name), plan.manifest()
                # Also what was only a step on the way: weights that were quantized after.
                steps = self._fresh - {layer.digest for layer in manifest.blobs()}
                garbage = steps | self._catalog.write(target, dump_manifest(manifest))
            yield CreateStatus("success")
        finally:
            if garbage:
                self._catalog.sweep(garbage)

    def _plan(self, pin: Pin) -> Generator[CreateStatus, None, Plan]:
        origin = self._origin
        if isinstance(origin, FromRemote):
            return plan_remote(self._create, origin, self._check)
        if isinstance(origin, FromFiles):
            return (yield from self._plan_files(origin.files, pin))
        return (yield from self._plan_model(origin, pin))

    # From files

    def _plan_files(
        self, paths: Mapping[str, str], pin: Pin
    ) -> Generator[CreateStatus, None, Plan]:
        paths, matrix = self._without_matrix(paths, pin)
        check_format(paths, self._gguf_digests(paths))
        files = yield from self._read(paths, pin, self._create.quantize)
        check_weights(files)
        extras = yield from self._extras(pin, weights_of(files)[0].digest)
        plan = partial(plan_of_files, self._create, check=self._check, adapters=extras.adapters)
        # Planned once before the weights are converted: what is wrong is said at once.
        planned = plan(files=files, drafts=extras.drafts)
        converted = yield from self._converted(files, self._create.quantize, pin, matrix)
        drafts = yield from self._converted(extras.drafts, self._create.draft_quantize, pin)
        if converted == files and drafts == extras.drafts:
            return planned
        return plan(files=converted, drafts=drafts)

    def _without_matrix(
        self, paths: Mapping[str, str], pin: Pin
    ) -> tuple[Mapping[str, str], Path | None]:
        """Part the importance matrix, if there is one, from the files of the model."""
        found = sorted(filter(self._is_matrix, self._gguf_digests(paths)))
        check_matrix(found, self._create)
        if not found:
            return paths, None
        rest = {path: digest for path, digest in paths.items() if digest != found[0]}
        return rest, self._catalog.blob(self._pinned(found[0], pin))

    def _is_matrix(self, digest: str) -> bool:
        try:
            return gguf_facts(self._gguf(digest)).role == "matrix"
        except Refused:
            return False  # told when it is read

    def _gguf_digests(self, paths: Mapping[str, str]) -> frozenset[str]:
        """Return those digests, as the request spells them, whose blob begins as GGUF does."""
        return frozenset(digest for digest in set(paths.values()) if self._is_gguf(digest))

    def _is_gguf(self, digest: str) -> bool:
        try:
            path = self._catalog.blob(digest)
            return path is not None and is_gguf(path)
        except (Refused, OSError):
            return False

    # From a model

    def _plan_model(self, origin: FromModel, pin: Pin) -> Generator[CreateStatus, None, Plan]:
        found = self._catalog.find(origin.name)
        if found is None:
            yield CreateStatus("pulling manifest")
            raise Refused.because(404, "pull model manifest: file does not exist")
        self._pin_base(found, pin)
        base = Base(
            found.name,
            found.manifest,
            read_config(self._catalog, found),
            read_content(self._catalog, found).params,
        )
        models = found.manifest.of(MODEL)
        extras = yield from self._extras(pin, models[0].digest if models else "")
        plan = partial(plan_from, self._create, base, self._check, adapters=extras.adapters)
        planned = plan(drafts=extras.drafts)
        weights = self._weights_of(found) if self._create.quantize else ()
        converted = yield from self._converted(weights, self._create.quantize, pin)
        drafts = yield from self._converted(extras.drafts, self._create.draft_quantize, pin)
        if converted == weights and drafts == extras.drafts:
            return planned
        changed = converted[0] if converted != weights else None
        return plan(weights=changed, drafts=drafts)

    def _pin_base(self, found: Installed, pin: Pin) -> None:
        """Hold the base's blobs; those of the program's own store are brought into the user's."""
        for layer in found.manifest.blobs():
            if not self._own(layer.digest, pin):
                kind = layer.media_type.rpartition(".")[2].removesuffix("+json")
                raise damaged(found.name, f"its {kind} is missing")

    def _weights_of(self, found: Installed) -> tuple[GgufFile, ...]:
        files = tuple(self._gguf_file(layer.digest) for layer in found.manifest.of(MODEL))
        check_weights(files)
        return weights_of(files)

    # Files

    def _extras(self, pin: Pin, weights: str) -> Generator[CreateStatus, None, _Extras]:
        """Read adapters, for the blob of weights, and drafts."""
        adapters, drafts = self._create.adapters or {}, self._create.drafts or {}
        base = self._gguf(weights) if weights and holds_checkpoint(adapters) else None
        read_adapters = (yield from self._read(adapters, pin, "", base)) if adapters else ()
        check_adapters(read_adapters)
        quantize = self._create.draft_quantize
        read_drafts = (yield from self._read(drafts, pin, quantize)) if drafts else ()
        return _Extras(read_adapters, read_drafts)

    def _read(
        self, paths: Mapping[str, str], pin: Pin, quantize: str, base: Gguf | None = None
    ) -> Generator[CreateStatus, None, tuple[GgufFile, ...]]:
        """Pin uploaded files, convert them if they are no GGUF files yet, and read their headers.

        Args:
            paths: Relative path to digest.
            pin: Gets the blobs.
            quantize: Type that is wanted in the end.
            base: Of an adapter that is to be converted.
        """
        if holds_checkpoint(paths):
            files = yield from self._convert_folder(paths, pin, unquantized(quantize), base)
        else:
            files = []
            for spelled in dict.fromkeys(paths.values()):
                yield CreateStatus("parsing GGUF")
                files.append(self._gguf_file(self._pinned(spelled, pin)))
        yield CreateStatus("verifying conversion")
        return tuple(files)

    def _pinned(self, spelled: str, pin: Pin) -> str:
        digest = parse_digest(spelled)
        if not self._own(digest, pin):
            raise Refused.because(400, f"blob {digest} was not found; upload it first")
        return digest

    def _convert_folder(
        self, paths: Mapping[str, str], pin: Pin, kind: str, base: Gguf | None
    ) -> Generator[CreateStatus, None, list[GgufFile]]:
        files = {}
        for name, spelled in paths.items():
            path = self._catalog.blob(self._pinned(spelled, pin))
            if path is None:
                raise Refused.because(409, f"blob {spelled} was removed; create it again")
            files[name] = path
        before = self._catalog.blobs.digests()
        stored = yield from convert(self._catalog.blobs, files, kind, base)
        return [self._made(one, before, pin) for one in stored]

    def _gguf_file(self, digest: str) -> GgufFile:
        gguf = self._gguf(digest)
        return GgufFile(digest, gguf.size, gguf_facts(gguf))

    def _gguf(self, digest: str) -> Gguf:
        path = self._catalog.blob(digest)
        if path is None:
            raise Refused.because(409, f"blob {digest} was removed; create it again")
        try:
            return read_gguf(path)
        except GgufError as e:
            raise Refused.because(400, str(e)[:_MAX_REASON]) from e
        except OSError as e:
            raise Refused.because(500, f"blob {digest} cannot be read: {e.strerror}") from e

    def _converted(
        self,
        files: tuple[GgufFile, ...],
        requested: str,
        pin: Pin,
        matrix: Path | None = None,
    ) -> Generator[CreateStatus, None, tuple[GgufFile, ...]]:
        """Convert the weights among files to the type that was asked for."""
        parts = weights_of(files)
        if parts and parts[0].facts.parts > 1:
            wanted = quantization_of(requested, parts[0].facts, has_matrix=matrix is not None)
            if wanted is None:
                return files
            whole = yield from self._convert(parts, wanted, pin, matrix)
            return (whole, *(file for file in files if file not in parts))
        converted = []
        for file in files:
            wanted = None
            if file.facts.role == "weights":
                wanted = quantization_of(requested, file.facts, has_matrix=matrix is not None)
            if wanted is None:
                converted.append(file)
            else:
                converted.append((yield from self._convert((file,), wanted, pin, matrix)))
        return tuple(converted)

    def _convert(
        self, parts: tuple[GgufFile, ...], wanted: str, pin: Pin, matrix: Path | None
    ) -> Generator[CreateStatus, None, GgufFile]:
        """Convert weights, which may be split, to one file."""
        before = self._catalog.blobs.digests()
        paths = [path for part in parts if (path := self._catalog.blob(part.digest)) is not None]
        if len(paths) != len(parts):
            raise Refused.because(409, "the weights were removed; create it again")
        weights = attrs.evolve(parts[0], size=sum(part.size for part in parts))
        stored = yield from quantize(self._catalog.blobs, paths, weights, wanted, matrix)
        return self._made(stored, before, pin)

    def _made(self, stored: Stored, before: AbstractSet[str], pin: Pin) -> GgufFile:
        """Hold a blob that was made of others, where `before` has those that were there."""
        if stored.digest not in before:
            self._fresh.add(stored.digest)
            self._converted_to.add(stored.digest)
        pin.add(stored.digest)
        if not self._catalog.blobs.has(stored.digest):
            raise Refused.because(409, "the converted weights were removed; create it again")
        return self._gguf_file(stored.digest)

    # The store

    def _store(self, plan: Plan, pin: Pin) -> Generator[CreateStatus, None, None]:
        for planned in plan.layers:
            existed = self._put(planned, pin)
            yield CreateStatus(layer_status(planned.layer, existed=existed))
        self._put(plan.config, pin)

    def _put(self, planned: PlannedLayer, pin: Pin) -> bool:
        """Store a layer; True: it was there."""
        layer: Layer = planned.layer
        if planned.data is None:
            if not self._own(layer.digest, pin):
                raise Refused.because(409, f"blob {layer.digest} was removed; create it again")
            return layer.digest not in self._converted_to
        pin.add(layer.digest)
        if self._catalog.blobs.has(layer.digest):
            return True
        self._fresh.add(layer.digest)
        self._catalog.blobs.put(planned.data)
        return False

    def _own(self, digest: str, pin: Pin) -> bool:
        """Pin a blob and bring it into the user's store; False: it is nowhere."""
        pin.add(digest)
        if not self._catalog.blobs.has(digest) and self._catalog.blob(digest) is not None:
            self._fresh.add(digest)
        return self._catalog.own(digest)
