# ruff: noqa: T201 -- a script that prints
"""Answers that keep to a schema, through HTTP: streamed and not, with thoughts before them and not.

    python -m tests.campaigns.structure [--schemas N] [--seed N]

The real daemon and the seedling at temperature 1, over all schemas of `tests/engine/schemas.py` and
so many invented ones. Each schema is asked for in five ways. Whatever ends with `stop` must be valid;
what has no room ends with `length`. Schemas that cannot be kept to must be refused with 400 and a
text that names the keyword. It ends with 1 if anything is not so. The tests take a few of the
schemas.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import httpx
import jsonschema

from tests.engine.schemas import NASTY, UNSUPPORTED, Schema, generated
from tests.integration.daemon import MODEL, TIMEOUT, Daemon

__all__ = ["WAYS", "Way", "refusals", "violations"]

FORMATS = jsonschema.FormatChecker(("uuid", "ipv4", "ipv6"))
"""What the library can check in full."""
STREAMS = 8
_LONGEST = 250
_HOT = {"temperature": 1, "top_k": 0, "top_p": 1, "num_predict": _LONGEST}


@FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    """Take the year 0 for a date, as RFC 3339 does and Python does not."""
    if isinstance(value, str):
        dt.date.fromisoformat(f"2{value[1:]}" if value.startswith("0") else value)
    return True


@attrs.frozen
class Answer:
    """What came of a request."""

    text: str
    reason: str
    thinking: str = ""


@attrs.frozen
class Way:
    """A way to ask for JSON."""

    name: str
    path: str
    stream: bool
    think: bool = False

    def body(self, schema: Schema, seed: int) -> dict[str, Any]:
        """Write a request."""
        messages = [{"role": "user", "content": "Give me JSON."}]
        body = {"model": MODEL, "messages": messages, "stream": self.stream}
        if self.path == "/api/chat":
            return body | {
                "format": schema,
                "think": self.think,
                "options": _HOT | {"seed": seed},
            }
        form = {"name": "answer", "schema": schema, "strict": True}
        return body | {
            "response_format": {"type": "json_schema", "json_schema": form},
            "reasoning_effort": "none",
            "temperature": 1,
            "top_p": 1,
            "max_tokens": _LONGEST,
            "seed": seed,
        }

    def ask(self, daemon: Daemon, schema: Schema, seed: int) -> Answer:
        """Send a request and read all of its answer.

        Raises:
            AssertionError: It was refused, or it broke.
        """
        url = daemon.url + self.path
        with httpx.stream("POST", url, json=self.body(schema, seed), timeout=TIMEOUT) as answer:
            answer.read()
        assert answer.status_code == 200, answer.text
        if self.path == "/api/chat":
            return _native([json.loads(line) for line in answer.text.splitlines()])
        if not self.stream:
            choice = answer.json()["choices"][0]
            return Answer(choice["message"]["content"], choice["finish_reason"])
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
        assert events[-1] == "[DONE]"
        return _openai([json.loads(event) for event in events[:-1]])


WAYS = (
    Way("native", "/api/chat", stream=False),
    Way("native, streamed", "/api/chat", stream=True),
    Way("native, streamed, with thoughts", "/api/chat", stream=True, think=True),
    Way("OpenAI", "/v1/chat/completions", stream=False),
    Way("OpenAI, streamed", "/v1/chat/completions", stream=True),
)


def _native(frames: Sequence[dict[str, Any]]) -> Answer:
    assert all("error" not in frame for frame in frames), frames[-1]
    return Answer(
        "".join(frame["message"]["content"] for frame in frames),
        frames[-1]["done_reason"],
        "".join(frame["message"].get("thinking", "") for frame in frames),
    )


def _openai(chunks: Sequence[dict[str, Any]]) -> Answer:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    return Answer("".join(choice["delta"].get("content") or "" for choice in choices), reasons[-1])


def violation(schema: Schema, answer: Answer) -> str:
    """Say what is wrong with an answer; empty if nothing is."""
    if answer.reason != "stop":
        return "" if answer.reason == "length" else f"it ended with {answer.reason}"
    validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    try:
        validator.validate(json.loads(answer.text))
    except (ValueError, jsonschema.ValidationError) as e:
        return f"{answer.text!r}: {str(e).splitlines()[0]}"
    return ""


def violations(
    daemon: Daemon, way: Way, schemas: Mapping[int, Schema]
) -> tuple[list[str], Counter[str]]:
    """Ask for all schemas in one way.

    Args:
        daemon: Is asked.
        way: How.
        schemas: By the seed with which each is asked for.

    Returns:
        What is wrong, and how often answers ended for which reason, and with thoughts.
    """
    with ThreadPoolExecutor(STREAMS) as pool:
        answers = pool.map(lambda seed: way.ask(daemon, schemas[seed], seed), schemas)
        pairs = list(zip(schemas.values(), answers, strict=True))
    found = [f"{json.dumps(s)}: {wrong}" for s, a in pairs if (wrong := violation(s, a))]
    counts = Counter(answer.reason for _, answer in pairs)
    counts["thought"] = sum(bool(answer.thinking) for _, answer in pairs)
    return found, counts


def refusals(daemon: Daemon, way: Way) -> list[str]:
    """Ask for what cannot be kept to; gives what was not refused as it should be."""
    wrong = []
    for schema, named in UNSUPPORTED:
        answer = httpx.post(daemon.url + way.path, json=way.body(schema, 1), timeout=TIMEOUT)
        error = answer.json().get("error", "")
        text = error if isinstance(error, str) else error.get("message", "")
        if answer.status_code != 400 or named not in text:
            wrong.append(f"{json.dumps(schema)}: {answer.status_code} {text!r}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.structure")
    parser.add_argument("--schemas", type=int, default=180, help="invented ones")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    schemas = dict(enumerate([*NASTY, *generated(asked.seed, asked.schemas)]))
    print(f"{len(NASTY)} schemas of the tests, {asked.schemas} from seed {asked.seed}", flush=True)
    well = True
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder)).wait()
        try:
            for way in WAYS:
                wrong, counts = violations(daemon, way, schemas)
                unrefused = refusals(daemon, way)
                print(
                    f"{way.name:<34}{len(schemas)} schemas, {dict(counts)}, {len(wrong)} wrong; "
                    f"{len(UNSUPPORTED)} to refuse, {len(unrefused)} wrong",
                    flush=True,
                )
                print(*wrong, *unrefused, sep="\n", end="\n" * bool(wrong or unrefused))
                well &= not wrong and not unrefused
        finally:
            daemon.stop()
    sys.exit(not well)


if __name__ == "__main__":
    main()
