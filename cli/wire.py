"""The shapes of decoded JSON.

The same as in `actorllm.protocol.chat`, without the import of the codec behind it: commands that
only print a table should start fast.
"""

from typing import Any

__all__ = ["Json", "Think"]

Json = dict[str, Any]
"""A decoded JSON object."""

Think = bool | str | None
"""None: not set; true or false; or a level."""
