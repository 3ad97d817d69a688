"""From the traces of one round to its figures."""

import math
from collections.abc import Mapping, Sequence
from operator import mul
from statistics import median

from actorllm.cli.bench import figures
from actorllm.cli.bench.figures import Figure, Sample
from actorllm.cli.bench.statistics import percentile
from actorllm.cli.bench.traces import Trace, longest_wait

__all__ = ["burst", "embeddings", "second", "stall", "streams"]

_MS = 1000.0


def streams(traces: Sequence[Trace], *, asked: int) -> Sample:
    """Sum up streams that ran side by side; `asked` is the most tokens that each could have."""
    gaps = [gap for trace in traces for gap in trace.gaps]
    rates = [trace.rate for trace in traces if trace.rate]
    firsts = [trace.ttft for trace in traces if trace.ttft is not None]
    seconds = _wall(traces)
    tokens = sum(trace.tokens for trace in traces)
    return _known(
        {
            figures.TTFT: median(firsts) if firsts else None,
            figures.TTFT_MAX: max(firsts, default=None),
            figures.GAP_P50: percentile(gaps, 50) * _MS if gaps else None,
            figures.GAP_P99: percentile(gaps, 99) * _MS if gaps else None,
            figures.GAP_MAX: max(gaps) * _MS if gaps else None,
            figures.RATE_STREAM: median(rates) if rates else None,
            figures.RATE_ALL: tokens / seconds if seconds > 0 else None,
            figures.TOKENS: tokens,
            figures.SHORT_ANSWERS: sum(trace.tokens < asked for trace in traces),
        }
    ) | _prompts(traces)


def burst(traces: Sequence[Trace], *, asked: int) -> Sample:
    """Sum up requests that came at once, for which the time until the last is done counts."""
    return {figures.WALL: _wall(traces)} | streams(traces, asked=asked)


def stall(running: Sequence[Trace], beside: Trace, alone: Trace) -> Sample:
    """Compare a long prompt beside running streams with one alone, and say how they fared."""
    begin = beside.sent
    end = beside.pieces[0] if beside.pieces else beside.ended
    waits = [
        longest_wait(trace.pieces, begin, min(trace.ended or end, end))
        for trace in running
        if trace.pieces and trace.pieces[0] < end and (not trace.ended or trace.ended > begin)
    ]
    usual = [gap for trace in running for gap in _gaps_before(trace, begin)]
    return _known(
        {
            figures.STALL: max(waits) * _MS if waits else None,
            figures.USUAL_GAP: percentile(usual, 50) * _MS if usual else None,
            figures.LONG_TTFT: beside.ttft,
            figures.ALONE_TTFT: alone.ttft,
            figures.LONG_OVER_ALONE: _over(beside.ttft, alone.ttft),
        }
    ) | _prompts([beside])


def second(first: Trace, again: Trace) -> Sample:
    """Compare the first and the second time of a prompt."""
    return _known(
        {
            figures.FIRST_TTFT: first.ttft,
            figures.SECOND_TTFT: again.ttft,
            figures.SECOND_OVER_FIRST: _over(again.ttft, first.ttft),
        }
    ) | _prompts([again])


def embeddings(
    together: Sequence[Sequence[float]],
    serial: Sequence[Sequence[float]],
    *,
    one_request: float,
    one_by_one: float,
    side_by_side: float,
) -> Sample:
    """Compare three ways to embed the same texts, given their seconds."""
    texts = len(serial)
    cosines = [_cosine(a, b) for a, b in zip(together, serial, strict=True)]
    return {
        figures.TEXTS_ONE_REQUEST: texts / one_request,
        figures.TEXTS_ONE_BY_ONE: texts / one_by_one,
        figures.TEXTS_SIDE_BY_SIDE: texts / side_by_side,
        figures.TEXTS_ONE_OVER_SERIAL: one_by_one / one_request,
        figures.TEXTS_SIDE_OVER_SERIAL: one_by_one / side_by_side,
        figures.COSINE: min(cosines),
    }


def _wall(traces: Sequence[Trace]) -> float:
    return max(trace.ended for trace in traces) - min(trace.sent for trace in traces)


def _prompts(traces: Sequence[Trace]) -> Sample:
    """Count prompt tokens, and those that no cache had, as far as the server tells."""
    counted = [trace.counts.prompt for trace in traces if trace.counts.prompt is not None]
    cached = [trace.counts.cached for trace in traces if trace.counts.cached is not None]
    if not counted:
        return {}
    told: Sample = {figures.PROMPT_TOKENS: sum(counted)}
    if cached:
        told[figures.PROMPT_COMPUTED] = sum(counted) - sum(cached)
    return told


def _gaps_before(trace: Trace, time: float) -> list[float]:
    return [gap for gap, end in zip(trace.gaps, trace.pieces[1:], strict=True) if end <= time]


def _over(value: float | None, base: float | None) -> float | None:
    return value / base if value and base else None


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    norm = math.hypot(*a) * math.hypot(*b)
    return sum(map(mul, a, b)) / norm if norm else 0.0


def _known(sample: Mapping[Figure, float | None]) -> Sample:
    return {figure: value for figure, value in sample.items() if value is not None}
