"""What the scripts of Python clients share: each step prints one line of JSON.

These files run in the environments of their clients, without our packages.
"""

import json
import os
import sys
import traceback

URL = os.environ["ACTORLLM_URL"]
CHAT, THINKER, EMBEDDER = "llama3.2", "qwen3", "all-minilm"
CAPITAL = "What is the capital of Japan?"
TOKYO = "The capital of Japan is Tokyo."
WEATHER = "What is the weather in Toronto?"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": PARAMETERS,
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "old": {"type": "boolean"}},
    "required": ["name", "old"],
    "additionalProperties": False,
}


def step(name):
    """Run a function now, and say how it went."""

    def run(function):
        try:
            function()
            problem = ""
        except Exception as e:  # noqa: BLE001 -- whatever went wrong is the result
            problem = f"{type(e).__name__}: {e}"[:500]
            traceback.print_exc(file=sys.stderr)
        sys.stdout.write(json.dumps({"step": name, "problem": problem}) + "\n")
        sys.stdout.flush()

    return run


def same(found, wanted):
    assert found == wanted, f"{found!r}, not {wanted!r}"


def refused(kind, call, text=""):
    """Expect an error of a kind; it is returned."""
    try:
        call()
    except kind as e:
        found = e
    else:
        raise AssertionError(f"no {kind.__name__}")
    same(text in str(found), True)
    return found
