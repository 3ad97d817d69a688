"""What the environment says: every variable, its meaning, and the settings made of them.

A variable `X` is read as `ACTORLLM_X`, then as `OLLAMA_X`, so that an existing setup keeps working.
`VARIABLES` is the one list of them; help texts and the documentation are made from it.
"""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from actorllm.protocol.address import Address

__all__ = ["VARIABLES", "Settings", "SettingsError", "Variable", "env"]

PREFIXES = ("ACTORLLM_", "OLLAMA_")
MIB = 1024 * 1024

_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *([kmg]?)b?")
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}
_LEAST_RATE = 64e3
_LEAST_WAIT, _MOST_WAIT = 0.01, 30.0
_MIRROR = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,300}/?")

_TRUE = {"1", "t", "true", "y", "yes", "on"}
_FALSE = {"0", "f", "false", "n", "no", "off"}


class SettingsError(ValueError):
    """A variable has a value that cannot be used; its text names the variable, in one line."""


def env(environ: Mapping[str, str], name: str, default: str = "") -> str:
    """Return the value of `ACTORLLM_<name>`, else of `OLLAMA_<name>`, else `default`.

    Spaces and quotes around a value are dropped; an empty value counts as unset.
    """
    return _find(environ, name)[1] or default


def _find(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    for prefix in PREFIXES:
        value = environ.get(prefix + name, "").strip().strip("\"'")
        if value:
            return prefix + name, value
    return PREFIXES[0] + name, ""


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("use 1 or 0")


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"use a whole number from {least} to {most}")

    return parse


def _bytes(text: str) -> int:
    """Read a size like `500MB` (decimal) or `2GiB` (binary)."""
    match = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(i?)B?", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError('use bytes or a size such as "500MB" or "2GiB"')
    number = int(match[1])
    for _ in range(" KMGT".index(match[2].upper() or " ")):
        number *= 1024 if match[3] else 1000
    return number


def _seconds(text: str) -> float:
    """Read `300` (seconds) or `1h30m`; a negative one is `inf`."""
    from actorllm.protocol.durations import parse_duration  # brings the codec: not at every start

    try:
        value = parse_duration(f"{text}s" if text.removeprefix("-").isdecimal() else text) / 1e9
    except ValueError:
        hint = 'use seconds or a duration such as "90s", "5m" or "1h30m"'
        raise ValueError(hint) from None
    return math.inf if value < 0 else value


def _limit_seconds(text: str) -> float:
    return _seconds(text) or math.inf


def _wait(text: str) -> float:
    seconds = _seconds(text)
    if not _LEAST_WAIT <= seconds <= _MOST_WAIT:
        raise ValueError('use a duration from "10ms" to "30s"')
    return seconds


def _rate(text: str) -> float:
    """Read bytes for each second, like `800k`, `25MB` or `1.5GB`; units are decimal."""
    match = _RATE.fullmatch(text.lower().removesuffix("/s"))
    if match is None or not (rate := float(match[1]) * _UNITS[match[2]]) >= _LEAST_RATE:
        raise ValueError('use bytes for each second, at least 64 kB, such as "800k" or "25MB"')
    return rate


def _mirrors(text: str) -> tuple[tuple[str, str], ...]:
    """Read `https://mirror` (of the default registry) or `host=https://mirror`, comma-separated."""
    found = []
    for part in _list(text):
        host, is_named, url = part.rpartition("=")
        match = _MIRROR.fullmatch(url)
        if match is None or bool(host) != bool(is_named):
            raise ValueError("use http(s)://host[:port], or registry=http(s)://host[:port]")
        found.append((host.lower(), url.rstrip("/")))
    return tuple(found)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _cache_type(text: str) -> str:
    if text.lower() not in {"f16", "q8_0", "q4_0"}:
        raise ValueError("use f16, q8_0 or q4_0")
    return text.lower()


def _text(text: str) -> str:
    return text


@attrs.frozen
class Variable:
    """One variable of the environment."""

    name: str
    """Without its prefix."""
    meaning: str
    default: str
    """In words, for people."""
    parse: Callable[[str], Any] = _text
    """Raises ValueError with what to write instead."""

    @property
    def field(self) -> str:
        """The field of `Settings` that holds it."""
        return self.name.lower()

    def read(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return `{field: value}`, or nothing where the variable is unset.

        Raises:
            SettingsError: The value cannot be used.
        """
        name, value = _find(environ, self.name)
        if not value:
            return {}
        try:
            return {self.field: self.parse(value)}
        except ValueError as e:
            raise SettingsError(f"{name}={value[:80]!r} cannot be used: {e}") from None


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "HOST",
        "address of the server: host, host:port, :port or http://host:port",
        "127.0.0.1:11434",
        Address.parse,
    ),
    Variable("MODELS", "folder of the models", "~/.actorllm/models"),
    Variable(
        "MODELS_READONLY",
        "a second folder of models, which are listed and run but never written or removed",
        "",
    ),
    Variable("STATE", "folder of the log, the history and what is remembered", "~/.actorllm"),
    Variable("BUILTIN", "offer the small model that comes with the package", "1", _flag),
    Variable(
        "KEEP_ALIVE",
        "how long an idle model stays loaded; negative: for ever",
        "5m",
        _seconds,
    ),
    Variable(
        "MAX_LOADED_MODELS",
        "models loaded at one time; 0: three",
        "0",
        _number(0, 1024),
    ),
    Variable(
        "MAX_QUEUE",
        "requests that may wait before others are refused",
        "512",
        _number(1, 1_000_000),
    ),
    Variable(
        "NUM_PARALLEL",
        "requests that one model answers at a time; 0: up to 16, by memory and speed",
        "0",
        _number(0, 1024),
    ),
    Variable(
        "CONTEXT_LENGTH",
        "tokens of context when a request does not say, as far as a model was trained; 0: 4096",
        "0",
        _number(0, 1 << 30),
    ),
    Variable(
        "LOAD_TIMEOUT",
        "how long a load may make no progress; 0: no limit",
        "5m",
        _limit_seconds,
    ),
    Variable("ORIGINS", "further origins that browsers may call from, comma-separated", "", _list),
    Variable("NOPRUNE", "keep unreferenced files at start and after a pull", "0", _flag),
    Variable(
        "NO_CLOUD",
        "say in /api/status that models on other machines are off; they are refused in any case",
        "0",
        _flag,
    ),
    Variable("DEBUG", "log every message between actors", "0", _flag),
    Variable("FLASH_ATTENTION", "use flash attention; unset: where it helps", "", _flag),
    Variable("KV_CACHE_TYPE", "type of the KV cache: f16, q8_0, q4_0", "f16", _cache_type),
    Variable(
        "KV_MEMORY",
        "memory of a model for prompts that others push out of its context, such as 500MB; 0: none",
        "1GiB",
        _bytes,
    ),
    Variable(
        "KV_DISK",
        "disk for prompts that survive an unload and a restart, such as 10GiB; 0: none",
        "2GiB",
        _bytes,
    ),
    Variable(
        "DETERMINISTIC",
        "the same seed gives the same text whatever else is running, a little slower",
        "0",
        _flag,
    ),
    Variable(
        "GO_TEMPLATE",
        "force Go templates (1) or Jinja templates (0); unset: the more capable one",
        "",
        _flag,
    ),
    Variable(
        "MAX_TRANSFER_STREAMS",
        "connections of one pull or push",
        "16",
        _number(1, 64),
    ),
    Variable("PULL_CONCURRENCY", "models pulled at one time; others wait", "8", _number(1, 64)),
    Variable(
        "PULL_BANDWIDTH",
        'bytes for each second that all pulls may take together, such as "25MB"; unset: no limit',
        "",
        _rate,
    ),
    Variable(
        "TRANSFER_RETRY_WAIT",
        "how long a pull or push waits before it tries again what failed; doubled each time, up to 32 s",
        "1s",
        _wait,
    ),
    Variable(
        "REGISTRY_MIRROR",
        "where to pull from first: https://mirror for registry.ollama.ai, or registry=https://mirror, "
        "comma-separated",
        "",
        _mirrors,
    ),
    Variable(
        "MAX_REQUEST_MIB",
        "largest body of a request, in MiB; uploads of model files have their own limit",
        "48",
        _number(1, 60),
    ),
    Variable("MAX_BLOB_MIB", "largest model file, in MiB", "1048576", _number(1, 1 << 30)),
    Variable("NOHISTORY", "the prompt of `run` keeps no history", "0", _flag),
    Variable("EDITOR", "editor of Ctrl-g at the prompt of `run`", "$VISUAL, then $EDITOR"),
)
"""All variables, in the order in which people are told about them."""


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of one process, read once. `VARIABLES` says what each field means."""

    models: Path
    state: Path
    models_readonly: Path | None = None
    host: Address = attrs.field(factory=Address)
    builtin: bool = True
    keep_alive: float = 300.0
    """Seconds; `inf`: for ever."""
    max_loaded_models: int = 0
    max_queue: int = 512
    num_parallel: int = 0
    """0: chosen for each model."""
    context_length: int = 0
    load_timeout: float = 300.0
    """Seconds; `inf`: no limit."""
    origins: tuple[str, ...] = ()
    noprune: bool = False
    no_cloud: bool = False
    debug: bool = False
    flash_attention: bool | None = None
    kv_cache_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    kv_memory: int = 1 << 30
    """Bytes."""
    kv_disk: int = 2 << 30
    """Bytes."""
    deterministic: bool = False
    go_template: bool | None = None
    max_transfer_streams: int = 16
    pull_concurrency: int = 8
    pull_bandwidth: float = math.inf
    """Bytes for each second; `inf`: no limit."""
    transfer_retry_wait: float = 1.0
    """Seconds."""
    registry_mirror: tuple[tuple[str, str], ...] = ()
    """Host of a registry (empty: the default one) and the URL to pull from first."""
    max_request_mib: int = 48
    """Stays below the limit of a message between actors (`codec.MAX_FRAME`)."""
    max_blob_mib: int = 1 << 20
    nohistory: bool = False
    editor: str = ""
    """Empty: none is set."""

    @property
    def max_request_bytes(self) -> int:
        return self.max_request_mib * MIB

    @property
    def max_blob_bytes(self) -> int:
        return self.max_blob_mib * MIB

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read all variables of a mapping such as `os.environ`.

        Raises:
            SettingsError: A variable has a value that cannot be used, or there is no home folder
                and a folder that defaults to it is not given.
        """
        values: dict[str, Any] = {}
        for variable in VARIABLES:
            values |= variable.read(environ)
        state = _folder(environ, values.get("state", "~/.actorllm"))
        models = values.get("models")
        values["state"] = state
        values["models"] = _folder(environ, models) if models else state / "models"
        shared = values.get("models_readonly")
        values["models_readonly"] = _folder(environ, shared) if shared else None
        values.setdefault("editor", environ.get("VISUAL") or environ.get("EDITOR", ""))
        return cls(**values)


def _folder(environ: Mapping[str, str], text: str) -> Path:
    if text != "~" and not text.startswith("~/"):
        return Path(text)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        raise SettingsError(
            f"there is no home folder for {text}: set ACTORLLM_STATE and ACTORLLM_MODELS"
        )
    return Path(home) / text[2:]
