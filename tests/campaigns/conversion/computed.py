"""What llama.cpp itself makes of a GGUF file: tokens, logits, hidden states, pictures."""

import ctypes
from contextlib import contextmanager
from pathlib import Path

import llama_cpp as cpp
import numpy as np

__all__ = ["Weights", "opened", "pictured"]

_MARKER = b"<__picture__>"
_LOG = cpp.llama_log_callback(lambda *_: None)


class Weights:
    """Loaded weights, computed with as precisely as llama.cpp can."""

    def __init__(self, handle):
        self.handle = handle
        self._vocab = cpp.llama_model_get_vocab(handle)
        self._adapter = None

    def adapt(self, adapter: Path) -> None:
        """Use a LoRA adapter from now on; it is freed with the weights."""
        self._adapter = cpp.llama_adapter_lora_init(self.handle, bytes(adapter))
        assert self._adapter, "llama.cpp does not load the adapter"

    def tokens(self, text: str) -> list[int]:
        data = text.encode()
        room = (cpp.llama_token * (len(data) * 4 + 16))()
        count = cpp.llama_tokenize(self._vocab, data, len(data), room, len(room), True, True)
        return list(room[:count])

    def logits(self, tokens: list[int]) -> np.ndarray:
        with self._computed(tokens, hidden=False) as context:
            width = cpp.llama_vocab_n_tokens(self._vocab)
            rows = [cpp.llama_get_logits_ith(context, i)[:width] for i in range(len(tokens))]
            return np.array(rows, np.float32)

    def hidden(self, tokens: list[int]) -> np.ndarray:
        with self._computed(tokens, hidden=True) as context:
            width = cpp.llama_model_n_embd(self.handle)
            rows = [cpp.llama_get_embeddings_ith(context, i)[:width] for i in range(len(tokens))]
            return np.array(rows, np.float32)

    @contextmanager
    def _computed(self, tokens: list[int], *, hidden: bool):
        params = cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = max(len(tokens), 256)
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = 0  # F32
        params.flash_attn_type = cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.embeddings = hidden
        params.pooling_type = cpp.LLAMA_POOLING_TYPE_NONE
        context = cpp.llama_init_from_model(self.handle, params)
        assert context, "no context"
        if self._adapter:
            one = (cpp.llama_adapter_lora_p_ctypes * 1)(self._adapter)
            cpp.llama_set_adapters_lora(context, one, 1, (ctypes.c_float * 1)(1.0))
        batch = cpp.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i], batch.pos[i] = token, i
                batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, 0, 1
            assert cpp.llama_decode(context, batch) == 0
            yield context
        finally:
            cpp.llama_batch_free(batch)
            cpp.llama_free(context)


@contextmanager
def opened(path: Path):
    """Load the weights in a file."""
    cpp.llama_log_set(_LOG, ctypes.c_void_p(0))
    params = cpp.llama_model_default_params()
    params.use_extra_bufts = False  # no AMX
    params.n_gpu_layers = 0
    handle = cpp.llama_model_load_from_file(bytes(path), params)
    assert handle, "llama.cpp does not load it"
    try:
        yield Weights(handle)
    finally:
        cpp.llama_model_free(handle)


def pictured(weights: Weights, projector: Path, picture: np.ndarray) -> np.ndarray:
    """Return what a projector makes of a picture (height, width, 3 bytes): a row for each token."""
    from llama_cpp import mtmd_cpp as mtmd

    mtmd.mtmd_log_set(_LOG, ctypes.c_void_p(0))
    params = mtmd.mtmd_context_params_default()
    params.media_marker = _MARKER
    params.flash_attn_type = cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.use_gpu, params.n_threads, params.print_timings = False, 1, False
    context = mtmd.mtmd_init_from_file(bytes(projector), weights.handle, params)
    assert context, "llama.cpp does not load the projector"
    height, width, _ = picture.shape
    data = np.ascontiguousarray(picture, np.uint8)
    pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    bitmap = mtmd.mtmd_bitmap_init(width, height, pointer)
    chunks = mtmd.mtmd_input_chunks_init()
    try:
        text = mtmd.mtmd_input_text(_MARKER, len(_MARKER), True, True)
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        assert mtmd.mtmd_tokenize(context, chunks, ctypes.byref(text), bitmaps, 1) == 0
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            count = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                assert mtmd.mtmd_encode_chunk(context, chunk) == 0
                size = count * cpp.llama_model_n_embd(weights.handle)
                found = np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(context), (size,)).copy()
                return found.reshape(count, -1)
        raise AssertionError("no picture among the chunks")
    finally:
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)
        mtmd.mtmd_free(context)
