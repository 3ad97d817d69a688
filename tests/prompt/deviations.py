"""Where our prompts are other than the recorded ones, and why."""

__all__ = ["AS_PYTHON", "JINJA", "RENDER", "TMPLINFO", "TRANSFORMERS"]

_BY_CALL = "results carry the name of the call they answer; the reference counts them off"
_BY_NAME = (
    "a result without an id gets the number of the call of its name; the reference leaves it empty"
)

RENDER = {
    "render/functiongemma/parallel_open+on": _BY_CALL,
    "render/functiongemma/tool_first": "a result keeps its own name; the reference drops it",
    "render/functiongemma/values+odd": _BY_CALL,
    "render/cohere/tool_round_thinking+one+on": _BY_NAME,
    "render/cohere/values+odd": _BY_NAME,
    "render/cohere/images_tool": _BY_NAME,
}

TMPLINFO = {
    "tmplinfo/bad_index/info": "names inside of parentheses count, too: the template uses them",
}

_DATE_AND_FUNCTIONS = (
    "the template's own variables, `datetime` and `functions`, are set; without them it knows no"
    " tools, and Python's Jinja fails"
)
JINJA = {
    "jinja/Kimi-K3/off": "thinking is off: the template's own name for it is set, too",
    "jinja/google-gemma-4-31B-it-interleaved/parallel": "words before a call are kept, and null is"
    " None, as Python's Jinja prints it",
} | {
    f"jinja/fireworks-ai-llama-3-firefunction-v2/{case}": _DATE_AND_FUNCTIONS
    for case in ("multi", "tool_round", "parallel", "multi_thinking", "tools_user", "two_rounds")
}
"""Prompts that are neither llama.cpp's nor those of Python's Jinja."""

_PYTHON_VALUES = "nested values print as Python's, which models were trained on"
AS_PYTHON = {
    "jinja/ByteDance-Seed-OSS/parallel": _PYTHON_VALUES,
    "jinja/GigaChat3-10B-A1.8B/tools_user": "the template renders; llama.cpp's library fails",
    "jinja/GigaChat3.1-10B-A1.8B/tools_user": "the template renders; llama.cpp's library fails",
    "jinja/google-gemma-4-31B-it/parallel": "null is None; llama.cpp's library prints nothing",
    "jinja/openbmb-MiniCPM5-1B/parallel": _PYTHON_VALUES,
    "jinja/unsloth-mistral-Devstral-Small-2507/multi_thinking": "an answer that was thought about"
    " keeps its text; llama.cpp's library drops it",
}
"""Prompts of Python's Jinja from the same variables, where llama.cpp's library differs."""

_ROUNDS = ("tool_round", "parallel", "two_rounds")
_FAILS = "transformers fails, ours is llama.cpp's: "
TRANSFORMERS = {
    f"jinja/{template}/{case}": why
    for template, why, cases in (
        (
            "CohereForAI-c4ai-command-r-plus-tool_use",
            f"{_FAILS}a parameter without a description has none",
            _ROUNDS,
        ),
        ("Kimi-K2-Instruct", f"{_FAILS}lists may be appended to", _ROUNDS),
        ("Kimi-K2-Thinking", f"{_FAILS}lists may be appended to", _ROUNDS),
        (
            "llama-cpp-deepseek-r1",
            f"{_FAILS}what `map` gives can be written as JSON",
            (*_ROUNDS, "tools_user"),
        ),
        (
            "meetkai-functionary-medium-v3.1",
            "text joined to what is `safe` is not written as HTML; llama.cpp agrees",
            (*_ROUNDS, "tools_user"),
        ),
    )
    for case in cases
}
"""Prompts that transformers' own environment makes otherwise of the same variables, or not at all."""
