"""Where our parsers answer otherwise than the reference, and why.

`goldens/parse/deviations.json` lists each such case with our answer. Everything else agrees with
what the reference gives for at least one split of the text; ours is the same for all.
"""

from typing import Any

from tests.parse.cases import Case, comparable, load, same

__all__ = ["JINJA", "WHY", "deviation", "deviations", "is_ours"]

WHY = {
    "cut": "A call that was cut off is shown as it is and flagged. The reference loses it, fails, or"
    " makes a call with arguments missing.",
    "unclosed": "A call that lacks nothing but its closing tag is a call. The reference loses it.",
    "unreadable": "A call that cannot be read is shown as it is and flagged; readable ones of the"
    " same block are calls. The reference fails the request, loses it, or makes one without a name.",
    "partial_tag": "The beginning of a tag at the end of the answer is text. The reference drops it.",
    "reopened": "An opening tag that the model repeats, and white space behind it, are no thought.",
    "lossy": "Text outside ASCII stays as it is. The reference damages it.",
    "several": "Every call of several is read. The reference reads one, or fails.",
    "lenient": "A call whose meaning is plain is read: one of a pair of tags is missing, it has more"
    " spaces, lines or dots in names, it is JSON where tags were due, or it names its tool twice.",
    "undeclared": "A call of an undeclared tool is a call, as with all other parsers.",
    "undeclared_text": "A call of an undeclared tool under a template's tag is shown and flagged.",
    "escapes": "Escapes in Python strings are decoded. The reference keeps the backslashes.",
    "null": "A bare null is null, not a string.",
    "marks": "Marks of the format are not shown.",
    "no_header": "Words without a header are content; white space alone is none.",
    "last_piece": "A call in the last piece is read like any other.",
    "tail": "Text behind a call, or tags in a request without tools, are content. The reference"
    " loses them.",
    "tool_name": "`tool_name` and `parameters` are name and arguments, not arguments themselves.",
    "no_arguments": "Under a tag, a call without arguments has none. The reference loses it.",
    "spaces": "White space between the marks of a call is not content; calls with it are read.",
}


_THOUGHTS = "thoughts at the start of an answer are split off, even if the template knows none"
_CLOSED = "a closing tag alone, as the first thing said, is no content"
JINJA = {
    "jinjaparse/LFM2-8B-A1B/think": _THOUGHTS,
    "jinjaparse/LFM2.5-Instruct/think": _THOUGHTS,
    "jinjaparse/google-gemma-4-31B-it/pre_one": "text behind a call is content; llama.cpp's library"
    " drops it",
    "jinjaparse/meetkai-functionary-medium-v3.2/pre_one": "a call behind text is a call; llama.cpp's"
    " library leaves it text",
} | {
    f"jinjaparse/deepseek-ai-DeepSeek-V3.2/{case}": _CLOSED
    for case in ("one", "pre_one", "par", "par_cut", "escapes")
}
"""Answers of models with public Jinja templates that are read otherwise than recorded."""


def deviations() -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in load("deviations")}


def deviation(case: Case) -> dict[str, Any] | None:
    return deviations().get(case["id"])


def is_ours(entry: dict[str, Any], ours: dict[str, Any], *, unparsed: bool) -> bool:
    """Whether our answer is the one that the table has."""
    expected = dict(entry["ours"])
    flagged = expected.pop("unparsed", False)
    return flagged == unparsed and same(ours, comparable(expected))
