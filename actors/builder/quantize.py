"""The child process that converts weights.

`python -m actorllm.actors.builder.quantize SOURCE TARGET TYPE [MATRIX]`; llama.cpp does the work and
is never trusted with somebody else's file inside the daemon. The process ends when its standard input
is closed, so it does not outlive who started it. Its last line on standard error says what went wrong.
"""

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from actorllm.actors.builder.attached import attach
from actorllm.actors.builder.quantizations import QUANTIZATIONS

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

__all__ = ["main"]

_ERROR: Final = 4
_ROWS: Final = 1 << 30
"""Bytes of rows of a tensor that are held in memory at once."""


def main(source: str, target: str, kind: str, matrix: str | None = None) -> int:
    """Convert the weights in a file; returns the exit status."""
    attach()
    import llama_cpp

    errors: list[str] = []

    def log(level: int, text: bytes, _data: object) -> None:
        if level == _ERROR:
            errors.append(text.decode(errors="replace").strip())

    callback = llama_cpp.llama_log_callback(log)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = QUANTIZATIONS[kind].number
    params.max_buf_size = _ROWS
    if matrix is not None:
        try:
            means = _means(matrix)
        except Exception:  # noqa: BLE001 -- anything may be in the file
            sys.stderr.write("the importance matrix cannot be read\n")
            return 1
        params.imatrix = (llama_cpp.llama_model_imatrix_data * (len(means) + 1))(
            *(_entry(name, values) for name, values in means.items())
        )  # the last one has no name
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), params)
    if failed:
        sys.stderr.write(f"{errors[-1] if errors else 'llama.cpp gave no reason'}\n")
    return 1 if failed else 0


def _means(path: str) -> "dict[str, NDArray[float32]]":
    """Read an importance matrix: the mean square of what each column of a tensor is multiplied by.

    The file has their sums and how many there were, for each expert. An expert that was never used
    counts like one whose columns all matter alike, as for llama.cpp's own program.
    """
    import numpy as np
    from gguf import GGUFReader

    tensors = {tensor.name: tensor.data for tensor in GGUFReader(path).tensors}
    means = {}
    for name, sums in tensors.items():
        tensor, is_sum, _ = name.partition(".in_sum2")
        if is_sum:
            counts = tensors[f"{tensor}.counts"].reshape(-1, 1)
            rows = sums.reshape(len(counts), -1)
            mean = np.where(counts > 0, rows / np.maximum(counts, 1), 1)
            means[tensor] = np.ascontiguousarray(mean, dtype=np.float32)
    return means


def _entry(name: str, values: "NDArray[float32]") -> Any:
    import llama_cpp

    data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return llama_cpp.llama_model_imatrix_data(name.encode(), data, values.size)


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main(*sys.argv[1:]))
