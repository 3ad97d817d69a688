"""Garbage collection stands still while a process starts.

What is imported and built then stays for good, and yet the collector would go through it two hundred
times: a tenth of a start. Afterwards it is left out for ever, so that a full collection, which stops
all streams, has little to look at.
"""

import gc

__all__ = ["hold_collection", "resume_collection"]


def hold_collection() -> None:
    """Collect nothing until `resume_collection`; call it before most is imported."""
    gc.disable()


def resume_collection() -> None:
    """Collect from now on, but nothing that is here already."""
    gc.freeze()
    gc.enable()
