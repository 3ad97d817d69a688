"""Which model a server really runs, as far as it tells, and whether two servers run the same."""

import re
from collections.abc import Sequence
from typing import Literal

import attrs

from actorllm.cli.errors import Failure
from actorllm.cli.text import one_line
from actorllm.cli.wire import Json

__all__ = ["Identity", "Sameness", "choose", "of_listed", "of_ollama", "sameness"]

Sameness = Literal["same", "different", "unknown"]

_MOST_NAMES = 10
"""Names in an error's text."""
_WEIGHTS = re.compile(r"^FROM\s.*\bsha256[-:]([0-9a-f]{64})\b", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Identity:
    """A model as its server describes it; what it does not tell is empty."""

    name: str
    digest: str = ""
    """Of the manifest: weights, template and parameters."""
    weights: str = ""
    """SHA-256 of the weights' file."""
    quantization: str = ""
    parameters: str = ""
    """How many, such as `8.0B`; for servers that say it exactly, a number."""

    def __str__(self) -> str:
        known = [self.name]
        if self.weights or self.digest:
            known.append(self.weights[:12] or f"manifest {self.digest[:12]}")
        known += filter(None, (self.quantization, self.parameters))
        return one_line(", ".join(known), 300)


def sameness(one: Identity, other: Identity) -> Sameness:
    """Say whether two models have the same weights.

    Equal digests prove it, unequal digests of weights disprove it. Otherwise an unequal type of
    quantization or number of parameters does; equal ones prove nothing.
    """
    if one.weights and other.weights:
        return "same" if one.weights == other.weights else "different"
    if one.digest and one.digest == other.digest:
        return "same"
    described = ((one.quantization, other.quantization), (one.parameters, other.parameters))
    if any(a and b and a.lower() != b.lower() for a, b in described):
        return "different"
    return "unknown"


def of_ollama(listed: Json, shown: Json) -> Identity:
    """Read an entry of `/api/tags` and the answer of `/api/show`."""
    details = shown.get("details")
    details = details if isinstance(details, dict) else {}
    weights = _WEIGHTS.search(str(shown.get("modelfile") or ""))
    return Identity(
        name=str(listed.get("name") or ""),
        digest=str(listed.get("digest") or "").removeprefix("sha256:"),
        weights=weights[1] if weights else "",
        quantization=str(details.get("quantization_level") or ""),
        parameters=str(details.get("parameter_size") or ""),
    )


def of_listed(listed: Json) -> Identity:
    """Read an entry of `/v1/models`; some servers describe the weights in `meta`."""
    meta = listed.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    count = meta.get("n_params")
    return Identity(name=str(listed.get("id") or ""), parameters=_short(count))


def _short(count: object) -> str:
    """Write a number of parameters as Ollama's API does, to be compared with it."""
    if not isinstance(count, int) or count <= 0:
        return ""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            value = count / size
            return f"{value:.1f}{unit}" if unit == "B" else f"{value:.2f}{unit}"
    return str(count)


def choose(wanted: str, listed: Sequence[Json], key: str, url: str) -> Json:
    """Find the entry of a model; without a name the server must have one model only.

    Raises:
        Failure: There is none of this name, or it is not clear which one is meant.
    """
    names = [str(entry.get(key) or "") for entry in listed]
    if not wanted and len(listed) == 1:
        return listed[0]
    for name, entry in zip(names, listed, strict=True):
        if wanted and wanted.lower() in (name.lower(), name.lower().removesuffix(":latest")):
            return entry
    known = ", ".join(names[:_MOST_NAMES]) or "none"
    more = "" if len(names) <= _MOST_NAMES else f" and {len(names) - _MOST_NAMES} more"
    what = f"there is no model {wanted!r} at {url}" if wanted else f"name a model of {url}"
    raise Failure(one_line(f"{what}; it has: {known}{more}"))
