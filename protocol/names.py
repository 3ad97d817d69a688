"""Names of models, references to them, and digests of blobs.

    Name       `[host/][namespace/]model[:tag]`, with defaults for what is left out
    ModelRef   a name as a request gives it: perhaps with `:cloud` or `:local` behind it
    digest     `sha256:` and 64 hex digits, as plain text in its one normal spelling

Names and digests become paths. A part of a valid name starts with a letter, a digit or `_` and holds
no separator, so no path made here can leave its folder; what is not valid has no path at all.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

import attrs

from actorllm.protocol.codec import message
from actorllm.protocol.errors import Refused
from actorllm.protocol.gojson import quote_plain

__all__ = [
    "CLOUD_MODEL",
    "DEFAULT_HOST",
    "DEFAULT_NAMESPACE",
    "DEFAULT_TAG",
    "MISSING",
    "TEMP_SUFFIX",
    "ModelRef",
    "Name",
    "blob_file",
    "digest_of",
    "existing_spelling",
    "is_temp_file",
    "local_name",
    "name_of_path",
    "parse_digest",
    "parse_name",
    "parse_ref",
    "valid_name",
]

CLOUD_MODEL = "ollama cloud is disabled: remote model is unavailable"
"""What is said of a model on another machine, in the words that clients know."""

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
MISSING = "!MISSING!"
"""Stands for a part that a separator promises but that is empty; such a name is not valid."""

TEMP_SUFFIX = ".actorllm-tmp"
"""End of the names of temporary files among blobs. They start with a dot, which no blob and no tag
does, so other programs on the same store skip them, and remove old ones as leftovers."""

_MAX_TEXT = 1024
"""Longest text that is taken apart, in characters; a valid name has at most 593."""

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")


@message
class Name:
    """A model's full name. It may be invalid: see `is_valid`."""

    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = attrs.field(default="https", eq=False)
    """How the host is spoken to; no part of the identity."""

    @property
    def is_valid(self) -> bool:
        return bool(
            _HOST.fullmatch(self.host)
            and _NAMESPACE.fullmatch(self.namespace)
            and _MODEL.fullmatch(self.model)
            and _MODEL.fullmatch(self.tag)
        )

    def full(self) -> str:
        """Return `host/namespace/model:tag`."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def short(self) -> str:
        """Return the form for people: without the host and namespace that everybody has."""
        name = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        return name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{name}"

    def path_parts(self) -> tuple[str, str, str, str]:
        """Return the parts of the manifest's path below the folder of manifests.

        Raises:
            Refused: The name is not valid.
        """
        if not self.is_valid:
            raise Refused.because(400, "invalid model name")
        return self.host, self.namespace, self.model, self.tag

    def folded(self) -> tuple[str, str, str, str]:
        """Return what two names have in common that differ in case only."""
        return (
            self.host.lower(),
            self.namespace.lower(),
            self.model.lower(),
            self.tag.lower(),
        )


@message
class ModelRef:
    """What a request says of a model: a name, and perhaps where it shall run."""

    raw: str
    """The text of the request, without spaces around it."""
    base: str
    """The text without the suffix; a name for `parse_name`."""
    source: Literal["", "cloud", "local"] = ""

    @property
    def is_cloud(self) -> bool:
        return self.source == "cloud"


def parse_name(text: str) -> Name:
    """Take a name apart, from the right, and fill in defaults. The result may be invalid."""
    if len(text) > _MAX_TEXT:
        text = ""  # no valid name is that long, nor should the long text travel on
    tag = DEFAULT_TAG
    if text.rfind(":") > text.rfind("/"):
        text, tag, _ = _cut_last(text, ":")
    rest, model, found = _cut_last(text, "/")
    if not found:
        return Name(DEFAULT_HOST, DEFAULT_NAMESPACE, text, tag)
    rest, namespace, found = _cut_last(rest, "/")
    if not found:
        return Name(DEFAULT_HOST, rest, model, tag)
    scheme, found_scheme, host = rest.partition("://")
    if not found_scheme:
        return Name(rest, namespace, model, tag)
    return Name(host, namespace, model, tag, scheme=scheme)


def _cut_last(text: str, separator: str) -> tuple[str, str, bool]:
    before, found, after = text.rpartition(separator)
    if not found:
        return text, "", False
    return before or MISSING, after or MISSING, True


def valid_name(text: str) -> Name:
    """Parse a name that must be valid.

    Raises:
        Refused: It is not: 400.
    """
    name = parse_name(text)
    if not name.is_valid:
        raise Refused.because(400, "invalid model name")
    return name


def name_of_path(parts: Iterable[str]) -> Name | None:
    """Return the name whose manifest has this path, None if there is no such valid name."""
    parts = tuple(parts)
    if len(parts) != 4:
        return None
    name = Name(*parts)
    return name if name.is_valid else None


def existing_spelling(name: Name, existing: Iterable[Name]) -> Name:
    """Return `name` in the spelling of what exists, since names that differ in case are one name.

    An existing name wins over a new mixture; for a new name each part takes a spelling that is in
    use, so that a second folder of the same name in another case never appears.
    """
    known = sorted(existing, key=Name.full)
    if name in known:
        return name
    wanted = name.folded()
    for other in known:
        if other.folded() == wanted:
            return Name(*_parts(other), scheme=name.scheme)
    parts = [name.host, name.namespace, name.model, name.tag]
    for other in known:
        for i, (part, folded) in enumerate(zip(_parts(other), other.folded(), strict=True)):
            if folded == wanted[i]:
                parts[i] = part
    host, namespace, model, tag = parts
    return Name(host, namespace, model, tag, scheme=name.scheme)


def _parts(name: Name) -> tuple[str, str, str, str]:
    return name.host, name.namespace, name.model, name.tag


def parse_ref(text: str) -> ModelRef:
    """Split `:cloud`, `-cloud` (in the tag) or `:local` from a request's model.

    Raises:
        Refused: Two suffixes: 400.
    """
    raw = text.strip()
    base, source = _cut_source(raw)
    if source and _cut_source(base)[1]:
        raise Refused.because(400, f"use either :local or :cloud, not both: {quote_plain(raw)}")
    return ModelRef(raw, base, source)


def local_name(text: str, elsewhere: str = CLOUD_MODEL) -> Name:
    """Return the name of a model that shall run on this machine.

    Args:
        text: As the client wrote it; not empty.
        elsewhere: What to say of a model on another machine.

    Raises:
        Refused: It has two suffixes or is invalid: 400; it is elsewhere: 403.
    """
    ref = parse_ref(text)
    name = valid_name(ref.base)
    if ref.is_cloud:
        raise Refused.because(403, elsewhere)
    return name


def _cut_source(text: str) -> tuple[str, Literal["", "cloud", "local"]]:
    base, found, tag = text.rpartition(":")
    tag = tag.strip()
    word = tag.lower()
    if not found or "/" in tag:
        return text, ""
    if word == "cloud":
        return base, "cloud"
    if word == "local":
        return base, "local"
    if word.endswith("-cloud"):
        return f"{base}:{tag[: -len('-cloud')]}", "cloud"
    return text, ""


def is_temp_file(name: str) -> bool:
    """Tell whether a text is the name of a temporary file in the folder of blobs."""
    return name.startswith(".") and name.endswith(TEMP_SUFFIX) and "/" not in name


def parse_digest(text: str) -> str:
    """Return a digest in its normal form, `sha256:` and lower case hex.

    `sha256-` and upper case, as in names of files, are other spellings of the same.

    Raises:
        Refused: The text is no digest: 400.
    """
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise Refused.because(400, "invalid digest format")
    return f"sha256:{match[1].lower()}"


def blob_file(digest: str) -> str:
    """Return the name of the file that holds the blob: `sha256-` and hex.

    Raises:
        Refused: The text is no digest: 400.
    """
    return parse_digest(digest).replace(":", "-")


def digest_of(data: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
