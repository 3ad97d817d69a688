"""The child process that converts weights: `python -m actorllm.actors.builder.quantize SRC DST TYPE`.

llama.cpp does the work and is never trusted with somebody else's file inside the daemon. The
process ends when its standard input is closed, so it does not outlive who started it. Its last line
on standard error says what went wrong.
"""

import ctypes
import os
import sys
import threading
from typing import Final

from actorllm.actors.builder.quantizations import QUANTIZATIONS

__all__ = ["main"]

_ERROR: Final = 4
_NICE: Final = 10
"""Answers that are being generated go first."""
_ROWS: Final = 1 << 30
"""Bytes of rows of a tensor that are held in memory at once."""


def main(source: str, target: str, kind: str) -> int:
    """Convert the weights in a file; returns the exit status."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICE)
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
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), params)
    if failed:
        sys.stderr.write(f"{errors[-1] if errors else 'llama.cpp gave no reason'}\n")
    return 1 if failed else 0


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main(*sys.argv[1:]))
