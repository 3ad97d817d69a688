"""What is wrong with a request for a new model, as far as the request alone tells."""

from collections.abc import Mapping

from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.building import Create
from actorllm.protocol.names import Name, valid_name

__all__ = ["MAX_FILES", "check_create"]

MAX_FILES = 10_000
"""Most files of one kind that a model is made of."""


def check_create(create: Create) -> Name:
    """Check what needs no look at any file, and return the name of the new model.

    Raises:
        Refused: 400.
    """
    for files in (create.files, create.drafts):
        _check_files(files or {})
    if create.draft_quantize and not create.drafts:
        raise Refused.because(400, "--draft-quantize requires a DRAFT model")
    _check_files(create.adapters or {})
    return valid_name(create.model)


def _check_files(files: Mapping[str, str]) -> None:
    if len(files) > MAX_FILES:
        raise Refused.because(400, f"more than {MAX_FILES} files")
    for path, digest in files.items():
        # As Windows has other separators, drives and roots, a path must be plain on every system.
        if "\\" in path or ":" in path or {"", ".", ".."} & set(path.split("/")):
            raise Refused.because(400, "file path must be relative")
        if not digest:
            raise Refused.because(400, "invalid digest format")
