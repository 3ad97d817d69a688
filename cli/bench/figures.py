"""What is measured, its unit, and which way is better."""

from typing import Literal

import attrs

__all__ = [
    "ALONE_TTFT",
    "COSINE",
    "FIRST_TTFT",
    "GAP_MAX",
    "GAP_P50",
    "GAP_P99",
    "LONG_OVER_ALONE",
    "LONG_TTFT",
    "PROMPT_COMPUTED",
    "PROMPT_TOKENS",
    "RATE_ALL",
    "RATE_STREAM",
    "SECOND_OVER_FIRST",
    "SECOND_TTFT",
    "SHORT_ANSWERS",
    "STALL",
    "TEXTS_ONE_BY_ONE",
    "TEXTS_ONE_OVER_SERIAL",
    "TEXTS_ONE_REQUEST",
    "TEXTS_SIDE_BY_SIDE",
    "TEXTS_SIDE_OVER_SERIAL",
    "TOKENS",
    "TTFT",
    "TTFT_MAX",
    "USUAL_GAP",
    "WALL",
    "Figure",
    "Sample",
]


@attrs.frozen
class Figure:
    """One line of the report."""

    name: str
    unit: Literal["s", "ms", "tokens/s", "texts/s", "tokens", ""]
    better: Literal["less", "more", ""]


Sample = dict[Figure, float]
"""What one round measured."""

TTFT = Figure("time to first token", "s", "less")
"""From sending the request to the first piece of text; the median of the streams."""
TTFT_MAX = Figure("time to first token, slowest stream", "s", "less")
GAP_P50 = Figure("between pieces, p50", "ms", "less")
"""Over all gaps of all streams. Servers send a piece for each token, few wait for two."""
GAP_P99 = Figure("between pieces, p99", "ms", "less")
GAP_MAX = Figure("between pieces, longest", "ms", "less")
RATE_STREAM = Figure("tokens/s of a stream", "tokens/s", "more")
"""After its first token; the median of the streams."""
RATE_ALL = Figure("tokens/s in all", "tokens/s", "more")
"""All tokens over the wall time, prompts included."""
TOKENS = Figure("tokens generated", "tokens", "")
SHORT_ANSWERS = Figure("answers that ended early", "", "")
"""With fewer tokens than asked for."""
WALL = Figure("wall time", "s", "less")
"""From the first request to the end of the last answer."""
PROMPT_TOKENS = Figure("prompt tokens", "tokens", "")
"""As the server counts them, of all requests together."""
PROMPT_COMPUTED = Figure("prompt tokens computed", "tokens", "less")
"""Those that did not come from a cache; only of servers that tell."""
STALL = Figure("longest gap while a long prompt loads", "ms", "less")
USUAL_GAP = Figure("gap before it, p50", "ms", "less")
LONG_TTFT = Figure("long prompt, first token", "s", "less")
ALONE_TTFT = Figure("long prompt alone, first token", "s", "less")
LONG_OVER_ALONE = Figure("long prompt, first token over alone", "", "less")
FIRST_TTFT = Figure("first time, first token", "s", "less")
SECOND_TTFT = Figure("second time, first token", "s", "less")
SECOND_OVER_FIRST = Figure("second over first", "", "less")
TEXTS_ONE_REQUEST = Figure("texts in one request", "texts/s", "more")
TEXTS_ONE_BY_ONE = Figure("texts one by one", "texts/s", "more")
TEXTS_SIDE_BY_SIDE = Figure("texts of requests side by side", "texts/s", "more")
TEXTS_ONE_OVER_SERIAL = Figure("one request over one by one", "", "more")
TEXTS_SIDE_OVER_SERIAL = Figure("side by side over one by one", "", "more")
COSINE = Figure("least cosine to one by one", "", "more")
