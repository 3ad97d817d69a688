"""Renders chat templates as transformers does; runs where that library is, `templates.py` starts it.

Standard input has a list of `{"template", "variables"}`; standard output gets one of `{"text"}` or
`{"error"}`.
"""

import json
import sys
from typing import Any

from transformers.utils.chat_template_utils import _compile_jinja_template


def rendered(asked: dict[str, Any]) -> dict[str, str]:
    try:
        return {"text": _compile_jinja_template(asked["template"]).render(**asked["variables"])}
    except Exception as error:  # noqa: BLE001 -- templates raise anything
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    json.dump([rendered(each) for each in json.load(sys.stdin)], sys.stdout)
