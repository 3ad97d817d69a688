"""Metrics for Prometheus: `GET /metrics`.

What is counted here is counted once per request, in plain numbers; the actors' own numbers are read
when somebody asks. The library that writes the page is imported then, too: it is not small.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

import attrs

from actorllm.actors.kernel.insight import ActorSnapshot, NodeSnapshot
from actorllm.protocol.messages.generation import Done, Embeddings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the times of requests, in seconds."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LEVELS = 2
"""Levels of the tree that get numbers of their own; jobs live below and come by the thousand."""


class _Times:
    """How long the requests of a route took."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        bounds = [*map(str, _BUCKETS), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class Metrics:
    """The counters of the edge, and a view of the actors.

    Args:
        snapshot: Reads the live tree.
    """

    def __init__(self, snapshot: Callable[[], NodeSnapshot]) -> None:
        self._snapshot = snapshot
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._times: dict[str, _Times] = {}
        self._tokens: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests[route, method if method in _METHODS else "other", str(status)] += 1
        self._times.setdefault(route, _Times()).add(seconds)

    def finished(self, done: Done) -> None:
        """Count a generation that came to its end."""
        self._ends[done.reason or "rendered"] += 1
        self._tokens["prompt"] += done.prompt_eval_count
        self._tokens["prompt_cached"] += done.prompt_cached_count
        self._tokens["generated"] += done.eval_count
        self._events["failover"] += done.failovers
        self._events["message_truncated"] += done.truncated_messages
        self._events["token_truncated"] += done.truncated_tokens
        self._events["token_shifted"] += done.shifted_tokens
        self._events["notice"] += len(done.notices)

    def failed(self) -> None:
        """Count a generation or an embedding that came to no end."""
        self._ends["failed"] += 1

    def noticed(self, count: int) -> None:
        """Count what was degraded from the start."""
        self._events["notice"] += count

    def embedded(self, vectors: Embeddings) -> None:
        """Count an embedding."""
        self._ends["embedded"] += 1
        self._tokens["prompt"] += vectors.prompt_eval_count
        self._events["token_truncated"] += sum(vectors.truncated)

    def page(self) -> bytes:
        """Write everything in the text format of Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> "Iterator[Metric]":
        """Give the metrics, as a registry of the library asks for them."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "actorllm_requests", "Requests answered.", labels=("route", "method", "status")
        )
        for labels, count in self._requests.items():
            requests.add_metric(labels, count)
        seconds = HistogramMetricFamily(
            "actorllm_request_seconds", "Time until the end of an answer.", labels=("route",)
        )
        for route, times in self._times.items():
            seconds.add_metric((route,), times.cumulative(), times.sum)
        yield from (requests, seconds)
        for name, help_, label, counts in (
            ("actorllm_tokens", "Tokens, by kind.", "kind", self._tokens),
            ("actorllm_generations", "Generations, by end.", "reason", self._ends),
            ("actorllm_generation_events", "Truncations and the like.", "event", self._events),
        ):
            family = CounterMetricFamily(name, help_, labels=(label,))
            for key, count in counts.items():
                family.add_metric((key,), count)
            yield family
        yield from _node_metrics(self._snapshot())


def _node_metrics(now: NodeSnapshot) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily("actorllm_uptime_seconds", "Age of the daemon.", now.uptime)
    messages = CounterMetricFamily("actorllm_messages", "Messages.", labels=("what",))
    for name, value in attrs.asdict(now.counters).items():  # type: ignore[arg-type]
        messages.add_metric((name,), value)
    yield messages
    label = ("actor",)
    queue = GaugeMetricFamily("actorllm_actor_queue", "Messages that wait.", labels=label)
    age = GaugeMetricFamily("actorllm_actor_oldest_seconds", "Oldest message.", labels=label)
    children = GaugeMetricFamily("actorllm_actor_children", "Children.", labels=label)
    busy = CounterMetricFamily("actorllm_actor_busy_seconds", "Busy time.", labels=label)
    restarts = CounterMetricFamily("actorllm_actor_restarts", "Restarts.", labels=label)
    for actor in _top(now.root, _LEVELS):
        queue.add_metric((actor.path,), actor.queue)
        age.add_metric((actor.path,), actor.oldest_age)
        children.add_metric((actor.path,), len(actor.children))
        busy.add_metric((actor.path,), actor.busy)
        restarts.add_metric((actor.path,), actor.restarts)
    yield from (queue, age, children, busy, restarts)


def _top(actor: ActorSnapshot | None, levels: int) -> Iterator[ActorSnapshot]:
    if actor is not None and levels > 0:
        yield actor
        for child in actor.children:
            yield from _top(child, levels - 1)
