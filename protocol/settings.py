"""What the environment says: every variable, its meaning, and the settings made of them.

A variable `X` is read as `ACTORLLM_X`, then as `OLLAMA_X`, so that an existing setup keeps working.
`VARIABLES` is the one list of them; help texts and the documentation are made from it.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from actorllm.protocol import setting_values as values
from actorllm.protocol.address import Address

__all__ = ["VARIABLES", "Settings", "SettingsError", "Variable"]

PREFIXES = ("ACTORLLM_", "OLLAMA_")
MIB = 1024 * 1024


class SettingsError(ValueError):
    """A variable has a value that cannot be used; its text names the variable, in one line."""


def _find(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return a variable's full name and its value, without spaces and quotes around it."""
    for prefix in PREFIXES:
        value = environ.get(prefix + name, "").strip().strip("\"'")
        if value:
            return prefix + name, value
    return PREFIXES[0] + name, ""


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
    Variable("BUILTIN", "offer the small model that comes with the package", "1", values.flag),
    Variable(
        "KEEP_ALIVE",
        "how long an idle model stays loaded; negative: for ever",
        "5m",
        values.seconds,
    ),
    Variable(
        "MAX_LOADED_MODELS",
        "models loaded at one time; 0: three",
        "0",
        values.number(0, 1024),
    ),
    Variable(
        "MAX_QUEUE",
        "requests that may wait before others are refused",
        "512",
        values.number(1, 1_000_000),
    ),
    Variable(
        "NUM_PARALLEL",
        "requests that one model answers at a time; 0: up to 16, by memory and speed",
        "0",
        values.number(0, 1024),
    ),
    Variable(
        "CONTEXT_LENGTH",
        "tokens of context when a request does not say, as far as a model was trained; 0: 4096",
        "0",
        values.number(0, 1 << 30),
    ),
    Variable(
        "LOAD_TIMEOUT",
        "how long a load may make no progress; 0: no limit",
        "5m",
        values.time_limit,
    ),
    Variable(
        "STOP_GRACE",
        "how long answers that run may go on when the daemon is stopped; a second signal ends them",
        "5s",
        values.grace,
    ),
    Variable(
        "ORIGINS", "further origins that browsers may call from, comma-separated", "", values.words
    ),
    Variable("NOPRUNE", "keep unreferenced files at start and after a pull", "0", values.flag),
    Variable(
        "NO_CLOUD",
        "say in /api/status that models on other machines are off; they are refused in any case",
        "0",
        values.flag,
    ),
    Variable("DEBUG", "log every message between actors", "0", values.flag),
    Variable("FLASH_ATTENTION", "use flash attention; unset: where it helps", "", values.flag),
    Variable("KV_CACHE_TYPE", "type of the KV cache: f16, q8_0, q4_0", "f16", values.cache_type),
    Variable(
        "KV_MEMORY",
        "memory of a model for prompts that others push out of its context, such as 500MB; "
        "0: none, and none are added to those on disk, which stay in use",
        "1GiB",
        values.size,
    ),
    Variable(
        "KV_DISK",
        "disk for prompts that survive an unload and a restart, such as 10GiB, "
        "as far as they fit into KV_MEMORY first; 0: none",
        "2GiB",
        values.size,
    ),
    Variable(
        "DETERMINISTIC",
        "the same seed gives the same text whatever else is running, a little slower",
        "0",
        values.flag,
    ),
    Variable(
        "GO_TEMPLATE",
        "force Go templates (1) or Jinja templates (0); unset: the more capable one",
        "",
        values.flag,
    ),
    Variable(
        "MAX_TRANSFER_STREAMS",
        "connections of one pull or push",
        "16",
        values.number(1, 64),
    ),
    Variable(
        "PULL_CONCURRENCY", "models pulled at one time; others wait", "8", values.number(1, 64)
    ),
    Variable(
        "PULL_BANDWIDTH",
        'bytes for each second that all pulls may take together, such as "25MB"; unset: no limit',
        "",
        values.rate,
    ),
    Variable(
        "TRANSFER_RETRY_WAIT",
        "how long a pull or push waits before it tries again what failed; doubled each time, up to 32 s",
        "1s",
        values.wait,
    ),
    Variable(
        "REGISTRY_MIRROR",
        "where to pull from first: https://mirror for registry.ollama.ai, or registry=https://mirror, "
        "comma-separated",
        "",
        values.mirrors,
    ),
    Variable(
        "MAX_REQUEST_MIB",
        "largest body of a request, in MiB; uploads of model files have their own limit",
        "48",
        values.number(1, 60),
    ),
    Variable("MAX_BLOB_MIB", "largest model file, in MiB", "1048576", values.number(1, 1 << 30)),
    Variable("NOHISTORY", "the prompt of `run` keeps no history", "0", values.flag),
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
    stop_grace: float = 5.0
    """Seconds."""
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
        fields: dict[str, Any] = {}
        for variable in VARIABLES:
            fields |= variable.read(environ)
        state = _folder(environ, fields.get("state", "~/.actorllm"))
        models = fields.get("models")
        fields["state"] = state
        fields["models"] = _folder(environ, models) if models else state / "models"
        shared = fields.get("models_readonly")
        fields["models_readonly"] = _folder(environ, shared) if shared else None
        fields.setdefault("editor", environ.get("VISUAL") or environ.get("EDITOR", ""))
        return cls(**fields)


def _folder(environ: Mapping[str, str], text: str) -> Path:
    if text != "~" and not text.startswith("~/"):
        return Path(text)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        raise SettingsError(
            f"there is no home folder for {text}: set ACTORLLM_STATE and ACTORLLM_MODELS"
        )
    return Path(home) / text[2:]
