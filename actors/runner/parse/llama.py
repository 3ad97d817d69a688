"""Llama 3: bare JSON calls, and what follows `<|python_tag|>`."""

from actorllm.actors.runner.parse.bare_json import BareJsonParser
from actorllm.actors.runner.parse.calls import BadCall, Toolbox
from actorllm.actors.runner.parse.chain import Chain
from actorllm.actors.runner.parse.fence import Fence
from actorllm.actors.runner.parse.fenced import Dialect, FencedParser, Opens, Spaces
from actorllm.actors.runner.parse.generic import decode_bare_call
from actorllm.actors.runner.parse.hermes import decode_json_call
from actorllm.actors.runner.parse.literals import LiteralReader
from actorllm.actors.runner.parse.parsed import OutputParser
from actorllm.actors.runner.parse.pythonic import read_call
from actorllm.protocol.chat import ToolCall

__all__ = ["llama_parser"]

_INTERPRETERS = ("python", "ipython", "code_interpreter")


def _decode_python(body: str, tools: Toolbox) -> list[ToolCall]:
    """Read JSON calls, `tool.call(key="value")`, or code for a declared interpreter."""
    if body.lstrip().startswith("{"):
        return decode_json_call(body, tools)
    interpreter = next((name for name in _INTERPRETERS if name in tools), "")
    try:
        reader = LiteralReader(body)
        call = read_call(reader)
        name = call.name.removesuffix(".call")
        if name in tools and reader.at_end():
            return [ToolCall(name=name, arguments=call.arguments)]
    except BadCall:
        if not interpreter:
            raise
    if not interpreter:
        raise BadCall("no declared tool is called")
    return [ToolCall(name=interpreter, arguments={"code": body})]


_LLAMA = Dialect(
    think_open="<think>",
    think_close="</think>",
    opens=Opens.FIRST,
    fences=(Fence("<|python_tag|>", "<|eom_id|>", _decode_python),),
    spaces=Spaces.KEEP,
)


def llama_parser(tools: Toolbox, *, in_thinking: bool = False) -> OutputParser:
    """Give the parser for an answer that may be a call from its first character on."""
    tagged = FencedParser(_LLAMA, tools, in_thinking=in_thinking)
    return Chain(tagged, BareJsonParser(decode_bare_call, tools))
