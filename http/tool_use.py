"""How a request may use its tools: which of them, whether it must, and how many at a time.

The runner holds the answer to it: by a grammar where it knows how the model writes calls (see
`actors/runner/forms`), and by leaving further calls out where one at a time is allowed.
"""

from typing import Any, Literal

import attrs

from actorllm.http.wire.mismatch import found
from actorllm.protocol.chat import Tool, ToolChoice
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["ToolUse", "tool_use"]


@attrs.frozen
class ToolUse:
    """What a request says of its tools."""

    forced: bool = False
    """The answer must be a call."""
    name: str = ""
    """Of this tool alone, once."""
    forbidden: bool = False
    parallel: bool = True
    """Several calls may be made at once."""
    held: bool = False
    """Calls that nothing forces are held to their schemas, too: the client said `auto` itself."""

    def apply(self, request: GenerateRequest) -> GenerateRequest:
        """Let a request say the same in the words of the daemon.

        Raises:
            Refused: 400, the tool that it names is not among those that it brings.
        """
        names = [_name(tool) for tool in request.tools]
        if self.forced and (self.name not in names if self.name else not names):
            named = f" {self.name[:100]!r}" if self.name else ""
            raise Refused.because(
                400, f"tool_choice wants a call of a tool{named} that is not in tools"
            )
        said = self.forced or self.forbidden or self.held or not self.parallel
        return evolve(request, tool_choice=self._choice()) if said and names else request

    def _choice(self) -> ToolChoice:
        mode: Literal["auto", "none", "required"] = "required" if self.forced else "auto"
        return ToolChoice(
            "none" if self.forbidden else mode,
            (self.name,) if self.name else (),
            self.parallel and not self.name,
        )


def _name(tool: Tool) -> str:
    function = tool.get("function")
    return str(function.get("name") or "") if isinstance(function, dict) else ""


def tool_use(choice: Any, *, parallel: bool | None) -> ToolUse:
    """Read `tool_choice`: a word, or an object that names a function.

    Raises:
        Refused: 400, it is neither.
    """
    many = parallel is not False
    if choice is None or choice in ("auto", ""):
        return ToolUse(parallel=many, held=choice == "auto")
    if choice == "none":
        return ToolUse(forbidden=True)
    if choice == "required":
        return ToolUse(forced=True, parallel=many)
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function", choice)  # Responses has the name beside the type
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str) and name:
            return ToolUse(forced=True, name=name, parallel=many)
    what = f"{choice[:100]!r}" if isinstance(choice, str) else f"this {found(choice)}"
    raise Refused.because(
        400, f'tool_choice cannot be {what}; it is "none", "auto", "required" or names a function'
    )
