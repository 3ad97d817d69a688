"""Fields beside those of a dialect, which every generation of `/v1` takes."""

from typing import Any

from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import KEEP_ALIVE, THINK
from actorllm.http.wire.values import RAW
from actorllm.protocol.chat import JsonObject, Think
from actorllm.protocol.codec import evolve
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.generation import GenerateRequest
from actorllm.protocol.options import Options, merge

__all__ = ["ExtrasBody", "budget", "with_extras"]

_RESERVED = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"})
"""Variables of templates that follow from the conversation and the model."""


@body("api.Extras")
class ExtrasBody:
    """What `/api` takes and the dialects have no word for."""

    options: JsonObject | None = None
    """Weaker than the fields of the dialect."""
    num_ctx: int | None = None
    deterministic: bool | None = None
    keep_alive: int | None = given(default=None, kind=KEEP_ALIVE)
    think: Think = given(default=None, kind=THINK)
    """Weaker than the dialect's own word on thinking."""
    think_budget: int | None = None
    """Tokens after which thoughts are ended."""
    format: Any = given(default=None, kind=RAW)
    """Weaker than the dialect's own word on the form of the answer."""
    grammar: str = ""
    """GBNF that the answer keeps to."""
    truncate: bool = True
    shift: bool | None = None
    chat_template_kwargs: JsonObject | None = None
    """Variables of a Jinja template; that thinking is not enabled counts for every prompt."""


def with_extras(body: ExtrasBody, request: GenerateRequest) -> GenerateRequest:
    """Add the extra fields of a body to the request that was made of the others.

    Raises:
        Refused: 500, an option has a wrong type, even one that the dialect has a stronger word for;
            400, a variable is not the client's to set.
    """
    merge(Options(), body.options or {})
    own = {"num_ctx": body.num_ctx, "deterministic": body.deterministic}
    given_own = {key: value for key, value in own.items() if value is not None}
    variables = body.chat_template_kwargs or {}
    for name in sorted(_RESERVED & variables.keys()):
        raise Refused.because(400, f"chat_template_kwargs cannot set {name}")
    # Models that think do so unless they are told, so only `false` says something.
    off = False if variables.get("enable_thinking") is False else None
    said = (request.think, body.think, off)
    return evolve(
        request,
        template_variables=variables,
        options=(body.options or {}) | given_own | request.options,
        keep_alive=body.keep_alive,
        think=next((each for each in said if each is not None), None),
        think_budget=budget(body.think_budget, request.think_budget),
        format=body.format if request.format is None else request.format,
        grammar=body.grammar,
        truncate=body.truncate,
        shift=body.shift,
    )


def budget(*given_budgets: int | None) -> int | None:
    """Choose the first budget that is given.

    Raises:
        Refused: 400, it is negative.
    """
    chosen = next((each for each in given_budgets if each is not None), None)
    if chosen is not None and chosen < 0:
        raise Refused.because(400, "a budget of thoughts is a number of tokens: 0 or more")
    return chosen
