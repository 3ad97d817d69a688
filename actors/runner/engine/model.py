"""Loading a model file, and the facts about it."""

import ctypes
import re
from collections.abc import Callable
from typing import Any, Literal

import attrs
import llama_cpp as cpp

from actorllm.actors.runner.engine import log
from actorllm.actors.runner.engine.amx import cpu_has_amx, refuse_amx
from actorllm.actors.runner.engine.kernels import Weights, refuse_tiles, weights_of
from actorllm.actors.runner.engine.types import EngineError, EngineSettings
from actorllm.actors.runner.engine.vocab import Vocab

__all__ = ["Model", "Progress", "load_model"]

Progress = Callable[[float], bool]
"""Told the part that is loaded, 0 to 1; returns false to abort."""


@attrs.frozen(eq=False)
class Model:
    """A loaded model."""

    handle: Any
    vocab: Vocab
    settings: EngineSettings
    """As used: AMX and repacked weights may have been given up."""
    amx: Literal["absent", "refused", "allowed"]
    weights: Weights
    tiles: bool
    """Whether llama.cpp may compute in tiles."""

    def text(self, key: str) -> str:
        """Read a metadata value; empty if there is none."""
        buffer = ctypes.create_string_buffer(256)
        count = cpp.llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count >= 0 else ""

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def description(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        cpp.llama_model_desc(self.handle, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def n_ctx_train(self) -> int:
        n_ctx: int = cpp.llama_model_n_ctx_train(self.handle)
        return n_ctx

    @property
    def short_context(self) -> int | None:
        """Most tokens of context for which llama.cpp takes the frequencies of short contexts.

        It looks at the whole context, not at what a sequence may use of it. None: there is one set
        of frequencies only.
        """
        if not self.weights.long_rope:
            return None
        told = self.text(f"{self.architecture}.rope.scaling.original_context_length")
        return int(told) if told.isdecimal() else self.n_ctx_train

    @property
    def sliding(self) -> int:
        """Tokens that layers with a sliding window see; 0: there are none."""
        return int(cpp.llama_model_n_swa(self.handle))

    @property
    def recurrent(self) -> bool:
        return bool(
            cpp.llama_model_is_recurrent(self.handle) or cpp.llama_model_is_hybrid(self.handle)
        )

    @property
    def embeds(self) -> bool:
        """Whether the file says how to pool, which only embedding models do."""
        return bool(self.text(f"{self.architecture}.pooling_type"))

    @property
    def on_cpu(self) -> bool:
        return self.settings.num_gpu == 0 or not cpp.llama_supports_gpu_offload()

    @property
    def same_bits(self) -> bool:
        """Whether these weights compute the same bits in every small batch."""
        used = self.settings
        return self.weights.steady(repacked=used.extra_buffers, tiles=self.tiles, slots=used.slots)

    @property
    def experts(self) -> bool:
        return self.text(f"{self.architecture}.expert_count") not in ("", "0")

    def free(self) -> None:
        self.vocab.close()
        cpp.llama_model_free(self.handle)


def load_model(settings: EngineSettings, progress: Progress | None = None) -> Model:
    """Load the model file.

    Raises:
        EngineError: It cannot be loaded, or `progress` aborted it.
    """
    log.install_log()
    log.forget_log()
    weights = weights_of((settings.model_path, *settings.splits))
    tiles = not refuse_tiles(wanted=settings.deterministic and weights.tiled_in_part)
    if settings.deterministic and weights.repacks_unsteadily:
        settings = attrs.evolve(settings, extra_buffers=False)
    cpp.llama_backend_init()
    amx: Literal["absent", "refused", "allowed"] = "allowed" if cpu_has_amx() else "absent"
    if amx == "absent" or settings.allow_amx:
        handle = _load(settings, progress)
    else:
        with refuse_amx() as refused:
            if refused:
                amx = "refused"
            else:
                settings = attrs.evolve(settings, extra_buffers=False)
            handle = _load(settings, progress)
    return Model(handle, Vocab(handle), settings, amx, weights, tiles)


def _load(settings: EngineSettings, progress: Progress | None) -> Any:
    aborted = False

    def report(part: float, _user_data: ctypes.c_void_p) -> bool:
        nonlocal aborted
        aborted = progress is not None and not progress(part)
        return not aborted

    params = cpp.llama_model_default_params()
    params.n_gpu_layers = settings.num_gpu
    params.main_gpu = settings.main_gpu
    params.use_extra_bufts = settings.extra_buffers
    callback = cpp.llama_progress_callback(report)
    params.progress_callback = callback
    if settings.use_mmap is not None:
        mode = cpp.LLAMA_LOAD_MODE_MMAP if settings.use_mmap else cpp.LLAMA_LOAD_MODE_NONE
        params.load_mode = mode
    paths = [path.encode() for path in (settings.model_path, *settings.splits)]
    if len(paths) > 1:
        array = (ctypes.c_char_p * len(paths))(*paths)
        handle = cpp.llama_model_load_from_splits(array, len(paths), params)
    else:
        handle = cpp.llama_model_load_from_file(paths[0], params)
    if aborted:
        if handle:
            cpp.llama_model_free(handle)
        raise EngineError("loading was aborted")
    if not handle:
        raise EngineError(f"the model cannot be loaded: {_reason(settings.model_path)}")
    return handle


def _reason(path: str) -> str:
    """Say in one line, without paths, what llama.cpp complained of."""
    errors = log.logged_errors()
    text = "\n".join(errors).replace(path, "the file")
    if re.search(r"alloc|out of memory|ENOMEM|Cannot allocate", text, re.IGNORECASE):
        return "there is not enough memory; use a smaller model or a smaller num_ctx"
    architecture = re.search(r"unknown model architecture: '([\w.-]{1,64})'", text)
    if architecture:
        return f"its architecture {architecture[1]} is not supported"
    told = re.findall(r"error loading model: (.*)", text)
    return told[0][:200] if told else "it is not a GGUF file that llama.cpp can read"
