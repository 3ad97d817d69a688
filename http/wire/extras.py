"""Fields beside those of a dialect, which every generation of `/v1` takes."""

from actorllm.http.wire.binding import body, given
from actorllm.http.wire.kinds import KEEP_ALIVE, THINK
from actorllm.protocol.chat import JsonObject, Think
from actorllm.protocol.codec import evolve
from actorllm.protocol.messages.generation import GenerateRequest

__all__ = ["ExtrasBody", "with_extras"]


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
    truncate: bool = True


def with_extras(body: ExtrasBody, request: GenerateRequest) -> GenerateRequest:
    """Add the extra fields of a body to the request that was made of the others."""
    own = {"num_ctx": body.num_ctx, "deterministic": body.deterministic}
    given_own = {key: value for key, value in own.items() if value is not None}
    return evolve(
        request,
        options=(body.options or {}) | given_own | request.options,
        keep_alive=body.keep_alive,
        think=body.think if request.think is None else request.think,
        truncate=body.truncate,
    )
