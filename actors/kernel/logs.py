"""Logs: one line for each event, for people on a terminal and as JSON otherwise.

Every line carries the trace id of the message that was being handled, if there was one.
"""

import logging
import logging.handlers
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

from actorllm.actors.kernel.trace import trace_id

__all__ = ["configure_logs"]

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


def configure_logs(
    *, debug: bool = False, stream: TextIO | None = None, file: Path | None = None
) -> None:
    """Set up logging for this process.

    Args:
        debug: Log every step.
        stream: Where lines go at once; standard error if None. Colours if it is a terminal.
        file: A file that gets the same lines as JSON; it is rotated at 10 MiB, 3 are kept.

    Raises:
        OSError: The file cannot be opened.
    """
    stream = stream or sys.stderr
    handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
    people = structlog.dev.ConsoleRenderer(colors=True) if stream.isatty() else None
    handlers[0].setFormatter(_formatter(people or structlog.processors.JSONRenderer()))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        rotating = logging.handlers.RotatingFileHandler(
            file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )
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


def _formatter(renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
