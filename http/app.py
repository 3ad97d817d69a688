"""The HTTP application: all routes, on actors that are given.

edge.py         what every route needs
connection.py   one request on its ASGI connection; encoding.py undoes its compression
answers.py      what is being answered, and how it ends when the daemon stops
guards.py       Host, Origin, 404, 405; redirects.py: paths that are nearly right; targets.py: what
                stands in a request line beside paths
stream.py       answers that are written while they are made; frames.py: those of generations
generation.py   submit, follow, put together: for all dialects, which also share
                tool_use.py, answer_form.py, embedding.py, rerank.py, listing.py, facts.py; v1.py has
                what all of /v1 does
errors.py       exceptions to answers; respond.py makes small ones
metrics.py      numbers for Prometheus; insight.py also shows the live tree
wire/           decoding of request bodies
openapi/        the description of all routes, for programs and people
ollama/ openai/ anthropic/   the dialects, a module per topic
"""

from typing import Any

from quart.ctx import RequestContext
from quart.typing import ResponseReturnValue
from quart.wrappers import Request, Response
from quart_trio import QuartTrio
from werkzeug.routing import Rule

from actorllm.actors.kernel import Node
from actorllm.http import guards, insight
from actorllm.http.answers import Answers, stopping
from actorllm.http.anthropic import messages
from actorllm.http.connection import Connection, EdgeRequest
from actorllm.http.edge import Edge, Log
from actorllm.http.errors import is_expected, problem_of, refusal
from actorllm.http.metrics import Metrics
from actorllm.http.ollama import (
    archives,
    blobs,
    create,
    embeddings,
    generation,
    info,
    models,
    prompts,
    rerank,
    transfers,
    upkeep,
)
from actorllm.http.openai import audio as openai_audio
from actorllm.http.openai import chat as openai_chat
from actorllm.http.openai import completions as openai_completions
from actorllm.http.openai import embeddings as openai_embeddings
from actorllm.http.openai import models as openai_models
from actorllm.http.openai import rerank as openai_rerank
from actorllm.http.openai import responses as openai_responses
from actorllm.http.openapi import routes as openapi
from actorllm.http.stream import log_crash
from actorllm.protocol.settings import Settings

__all__ = ["App", "create_app"]

_BLUEPRINTS = (
    info.blueprint,
    generation.blueprint,
    embeddings.blueprint,
    rerank.blueprint,
    models.blueprint,
    blobs.blueprint,
    create.blueprint,
    transfers.blueprint,
    archives.blueprint,
    upkeep.blueprint,
    prompts.blueprint,
    openai_chat.blueprint,
    openai_completions.blueprint,
    openai_embeddings.blueprint,
    openai_models.blueprint,
    openai_rerank.blueprint,
    openai_responses.blueprint,
    openai_audio.blueprint,
    messages.blueprint,
    insight.blueprint,
    openapi.blueprint,
)


class _Rule(Rule):
    """A route for the methods that it names: no HEAD that nobody asked for."""

    def __init__(self, string: str, **options: Any) -> None:
        options.pop("provide_automatic_options", None)
        wanted = {m.upper() for m in options.get("methods") or {"GET"}}
        super().__init__(string, **options)
        self.methods = wanted


class App(QuartTrio):
    """Quart under Trio with our connection, our requests and our routes."""

    asgi_http_class = Connection
    request_class = EdgeRequest
    url_rule_class = _Rule  # type: ignore[assignment]

    def __init__(self, edge: Edge) -> None:
        super().__init__(__name__, static_folder=None)
        self.edge = edge
        self.answers = Answers()
        self.config.update(
            # Nothing ends by itself: a long generation is no error, uploads have their own limits.
            RESPONSE_TIMEOUT=None,
            BODY_TIMEOUT=None,
            MAX_CONTENT_LENGTH=None,
            PROVIDE_AUTOMATIC_OPTIONS=False,
        )
        self.url_map.merge_slashes = False
        for blueprint in _BLUEPRINTS:
            self.register_blueprint(blueprint(edge))
        guards.install(self, edge.settings)
        self.register_error_handler(Exception, self._failed)

    async def _failed(self, error: Exception) -> Response:
        if not is_expected(error):
            log_crash(self.edge.log, error)
        return refusal(problem_of(error))

    async def dispatch_request(
        self, request_context: RequestContext | None = None
    ) -> ResponseReturnValue:
        """Answer a request, but while the server stops."""
        if not self.answers.closed:
            with self.answers.cuttable():
                return await super().dispatch_request(request_context)
        raise stopping()

    def answered(self, request: Request, status: int, seconds: float) -> None:
        """Count a request whose answer has been sent, or whose client has left."""
        route = request.url_rule.rule if request.url_rule is not None else "none"
        self.edge.metrics.answered(route, request.method, status, seconds)


def create_app(node: Node, settings: Settings, log: Log) -> App:
    """Make the ASGI application.

    Args:
        node: The actors; asked by their paths.
        settings: Limits, origins and the address that is listened on.
        log: A structlog logger for what nobody expected.
    """
    return App(Edge(node, settings, log, Metrics(node.snapshot)))
