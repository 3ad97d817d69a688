"""Metrics for Prometheus: `GET /metrics`.

What is counted here is counted once per request; the actors' own numbers are read when asked.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from actorllm.actors.kernel.insight import ActorSnapshot, NodeSnapshot
from actorllm.protocol.messages.generation import Done, Embeddings

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_MAX_DEPTH = 2
"""Levels of the tree whose actors get numbers of their own; jobs live below and come by the thousand."""


class Metrics:
    """The counters of the edge, and a view of the actors.

    Args:
        snapshot: Reads the live tree.
    """

    def __init__(self, snapshot: Any) -> None:
        self._registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter(
            "actorllm_requests", "Requests answered.", ("route", "method", "status"), **made
        )
        self._seconds = Histogram(
            "actorllm_request_seconds",
            "Time until the last byte of an answer.",
            ("route",),
            buckets=_BUCKETS,
            **made,
        )
        self._tokens = Counter("actorllm_tokens", "Tokens, by kind.", ("kind",), **made)
        self._events = Counter(
            "actorllm_generation_events", "Truncations, shifts and failovers.", ("event",), **made
        )
        self._ends = Counter("actorllm_generations", "Generations, by end.", ("reason",), **made)
        self._registry.register(_Tree(snapshot))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def finished(self, done: Done) -> None:
        """Count a generation that came to its end."""
        self._ends.labels(done.reason or "rendered").inc()
        self._tokens.labels("prompt").inc(done.prompt_eval_count)
        self._tokens.labels("prompt_cached").inc(done.prompt_cached_count)
        self._tokens.labels("generated").inc(done.eval_count)
        events = {
            "failover": done.failovers,
            "messages_truncated": done.truncated_messages,
            "tokens_truncated": done.truncated_tokens,
            "tokens_shifted": done.shifted_tokens,
            "notice": len(done.notices),
        }
        for event, count in events.items():
            if count:
                self._events.labels(event).inc(count)

    def embedded(self, vectors: Embeddings) -> None:
        """Count an embedding."""
        self._ends.labels("embedded").inc()
        self._tokens.labels("prompt").inc(vectors.prompt_eval_count)

    def page(self) -> bytes:
        """Write everything in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Tree(Collector):
    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot

    def describe(self) -> Sequence[Any]:
        return ()  # nothing to check at registration: the tree is not running yet

    def collect(self) -> Iterator[Any]:
        now: NodeSnapshot = self._snapshot()
        yield GaugeMetricFamily("actorllm_uptime_seconds", "Age of the daemon.", now.uptime)
        counters = CounterMetricFamily("actorllm_messages", "Messages.", labels=("what",))
        for name, value in attrs.asdict(now.counters).items():  # type: ignore[arg-type]
            counters.add_metric((name,), value)
        yield counters
        yield from _actor_metrics(now.root)


def _actor_metrics(root: ActorSnapshot | None) -> Iterator[Any]:
    queue = GaugeMetricFamily("actorllm_actor_queue", "Messages that wait.", labels=("actor",))
    age = GaugeMetricFamily(
        "actorllm_actor_oldest_seconds", "Age of the oldest message.", labels=("actor",)
    )
    busy = CounterMetricFamily("actorllm_actor_busy_seconds", "Busy time.", labels=("actor",))
    restarts = CounterMetricFamily("actorllm_actor_restarts", "Restarts.", labels=("actor",))
    children = GaugeMetricFamily("actorllm_actor_children", "Children.", labels=("actor",))
    for actor in _top(root, _MAX_DEPTH):
        label = (actor.path,)
        queue.add_metric(label, actor.queue)
        age.add_metric(label, actor.oldest_age)
        busy.add_metric(label, actor.busy)
        restarts.add_metric(label, actor.restarts)
        children.add_metric(label, len(actor.children))
    yield from (queue, age, busy, restarts, children)


def _top(actor: ActorSnapshot | None, levels: int) -> Iterator[ActorSnapshot]:
    if actor is not None and levels > 0:
        yield actor
        for child in actor.children:
            yield from _top(child, levels - 1)
