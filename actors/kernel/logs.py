"""Logs: one line for each event, for people on a terminal and as JSON otherwise.

Every line carries the trace id of the message that was being handled, if there was one.
"""

import logging
import logging.handlers
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from actorllm.actors.kernel.trace import trace_id

__all__ = ["configure_logs", "debugging"]

_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 3


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace = trace_id.get()
    if trace:
        event["trace"] = trace
    return event


_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_trace,
    structlog.processors.format_exc_info,
]


class _OwnFile(logging.handlers.RotatingFileHandler):
    """A rotated file that only its owner may read."""

    def _open(self) -> Any:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=opener)


def configure_logs(*, debug: bool = False, quiet: bool = False, file: Path | None = None) -> None:
    """Set up logging for this process.

    Args:
        debug: Log every message, too.
        quiet: Write nothing to standard error, where else lines go; on a terminal in colours,
            unless NO_COLOR is set (https://no-color.org).
        file: A file that gets the lines as JSON, for its owner alone; it is rotated at 10 MiB, and
            three are kept.

    Raises:
        OSError: The file cannot be opened.
    """
    handlers: list[logging.Handler] = []
    if not quiet:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(_formatter(_for_console()))
        handlers.append(console)
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rotating = _OwnFile(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")
        rotating.setFormatter(_formatter(structlog.processors.JSONRenderer()))
        handlers.append(rotating)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for chatty in ("httpx", "httpcore", "hpack", "quart", "hypercorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def debugging() -> bool:
    """Whether this process logs every message."""
    return logging.getLogger().isEnabledFor(logging.DEBUG)


def _for_console() -> Any:
    if not sys.stderr.isatty():
        return structlog.processors.JSONRenderer()
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return structlog.dev.ConsoleRenderer(colors=not plain)


def _formatter(renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
