"""Count the golden cases of prompts and parsers that pass, kind by kind, and name the others.

    python -m tests.campaigns.templates          # all kinds
    python -m tests.campaigns.templates --own    # those that need no download

The kinds `jinja`, `jinjainfo` and `jinjaparse` are about public templates, which belong to their
authors and are not part of the repository: they are taken from the source distribution of
llama-cpp-python (77 MB, once). `transformers` renders the same variables as `jinja` by the Jinja
environment of that library, in a virtual environment of its own, and compares.

It ends with 1 if a case is neither as recorded nor named in `tests/prompt/deviations.py`,
`tests/parse/deviations.py` or `tests/goldens/parse/deviations.json`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actorllm.actors.runner.forms import FORMS, form_of
from actorllm.actors.runner.parse.infer import family_name
from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.jinja_chat import habits_of, jinja_variables
from tests.campaigns.environments import python_of, sdist_folder
from tests.parse import cases as parse_cases
from tests.parse import replay_jinja as answers
from tests.parse.deviations import JINJA as ANSWERS
from tests.parse.deviations import WHY, deviation, is_ours
from tests.parse.test_fixtures import FIXTURES
from tests.prompt import replay_jinja as prompts
from tests.prompt.cases import load, openai_messages, tools
from tests.prompt.deviations import AS_PYTHON, JINJA, RENDER, TMPLINFO, TRANSFORMERS
from tests.prompt.test_goldens import agrees, go_case, knows, outcome, render_case

SDIST = "llama-cpp-python==0.3.36"
TEMPLATES = "vendor/llama.cpp/models/templates"
LIBRARY = ("transformers==5.23.0", "jinja2==3.1.6")
RENDER_SECONDS = 300.0

Verdict = tuple[str, str, str]
"""The case, what is said of it (`equal`, `python`, `ours` or `wrong`), and why."""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--own", action="store_true", help="only kinds that need no download")
    parser.add_argument("--templates", type=Path, help="a folder with llama.cpp's templates")
    given = parser.parse_args()
    kinds = dict(own_kinds())
    if not given.own:
        kinds |= public_kinds(given.templates or sdist_folder("templates", SDIST, TEMPLATES))
    for verdicts in kinds.values():
        for case, verdict, why in verdicts:
            if verdict != "equal":
                say(f"{verdict:7} {case}: {why}")
    say(f"\n{'kind':14}{'cases':>7}{'as recorded':>13}{'as Python':>11}{'ours':>6}{'wrong':>7}")
    for kind, verdicts in kinds.items():
        found = [verdict for _, verdict, _ in verdicts]
        counts = [found.count(verdict) for verdict in ("equal", "python", "ours", "wrong")]
        say(f"{kind:14}{len(found):7}{counts[0]:13}{counts[1]:11}{counts[2]:6}{counts[3]:7}")
    return int(any(verdict == "wrong" for each in kinds.values() for _, verdict, _ in each))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def own_kinds() -> Iterator[tuple[str, list[Verdict]]]:
    """Judge what the repository has."""
    for kind, make, listed in (("render", render_case, RENDER), ("gotemplate", go_case, {})):
        equal = {
            case["id"]: agrees(outcome(lambda: make(case)), case["expect"])  # noqa: B023 -- at once
            for case in load(kind)
        }
        yield kind, named(equal, listed)
    yield "tmplinfo", named({case["id"]: knows(case) for case in load("tmplinfo")}, TMPLINFO)
    for kind in ("parse", "toolparse", "thinkparse"):
        yield kind, list(map(parsed, parse_cases.load(kind)))


def named(equal: dict[str, bool], listed: dict[str, str]) -> list[Verdict]:
    """Say what is equal, what is not for a reason, and what for none."""
    return [
        (case, "equal" if same else "ours" if case in listed else "wrong", listed.get(case, ""))
        for case, same in equal.items()
    ]


def parsed(case: dict[str, Any]) -> Verdict:
    """Judge how an answer is read, whatever its splits."""
    make = parse_cases.maker(case)
    results = [parse_cases.run(make(), pieces) for pieces in parse_cases.splits(case["text"])]
    if any(result != results[0] for result in results):
        return case["id"], "wrong", "it depends on the split"
    if parse_cases.agrees(case, results[0]):
        return case["id"], "equal", ""
    entry = deviation(case)
    ours = parse_cases.outcome(results[0])
    if entry and is_ours(entry, ours, unparsed=results[0].unparsed):
        return case["id"], "ours", WHY[entry["why"]]
    return case["id"], "wrong", str(ours)


def public_kinds(folder: Path) -> dict[str, list[Verdict]]:
    """Judge what is about public templates."""
    sources = {case["name"]: (folder / case["name"]).read_bytes() for case in load("jinjainfo")}
    whys = JINJA | AS_PYTHON
    wrong = prompts.wrong_facts(folder)
    facts = {}
    for case in load("jinjainfo"):
        digest = hashlib.sha256(sources[case["name"]]).hexdigest()[:24]
        facts[case["id"]] = digest == case["sha256"] and case["name"] not in wrong
    return {
        "jinja": [
            (
                case["id"],
                prompts.judge(case, sources[case["name"]].decode()),
                whys.get(case["id"], ""),
            )
            for case in load("jinja")
        ],
        "jinjainfo": named(facts, {}),
        "jinjaparse": [
            (case["id"], answers.judge(case, folder), ANSWERS.get(case["id"], ""))
            for case in parse_cases.load("jinjaparse")
        ],
        "families": named(dict(known(folder)), {}),
        "transformers": against_transformers(sources),
    }


def known(folder: Path) -> Iterator[tuple[str, bool]]:
    """Tell whether the templates that a family's fixture names are known as of this family."""
    for family, fixture in FIXTURES.items():
        for name in fixture["templates"]:
            text = (folder / f"{name}.jinja").read_text(encoding="utf-8")
            yield f"families/{family}/{name}", form_of(family_name(text), text) is FORMS[family]


def against_transformers(sources: dict[str, bytes]) -> list[Verdict]:
    """Compare our Jinja environment with that of transformers, on the same variables."""
    now = datetime.now(UTC)
    work = [(case, sources[case["name"]].decode()) for case in load("jinja")]
    asked = [
        {"template": source, "variables": variables_of(case, source, now)} for case, source in work
    ]
    done = subprocess.run(
        [python_of("transformers", *LIBRARY), Path(__file__).with_name("with_transformers.py")],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        timeout=RENDER_SECONDS,
        check=True,
    )
    verdicts = []
    for (case, source), theirs in zip(work, json.loads(done.stdout), strict=True):
        try:
            ours = {"text": JinjaTemplate(source).render(variables_of(case, source, now), now)}
        except TemplateError as error:
            ours = {"error": str(error)}
        same = ours == theirs or ("error" in ours and "error" in theirs)
        verdict = "equal" if same else "ours" if case["id"] in TRANSFORMERS else "wrong"
        verdicts.append((case["id"], verdict, TRANSFORMERS.get(case["id"], "")))
    return verdicts


def variables_of(case: dict[str, Any], source: str, now: datetime) -> dict[str, Any]:
    variables = jinja_variables(
        openai_messages(case["messages"]),
        tools(case),
        case.get("enable_thinking"),
        now=now,
        habits=habits_of(source),
        bos="<BOS>",
        eos="<EOS>",
    )
    return variables | case.get("kwargs", {})


if __name__ == "__main__":
    sys.exit(main())
