"""`actorllm bench`: the command line."""

import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import click

from actorllm.cli.completion import MODEL
from actorllm.cli.daemon import connect
from actorllm.cli.text import one_line
from actorllm.protocol.address import Address

if TYPE_CHECKING:
    from actorllm.cli.bench.campaign import Plan, Result, Target

__all__ = ["bench"]

MAX_STREAMS = 256
MAX_TOKENS = 1 << 20
MAX_ROUNDS = 1000

_APIS = click.Choice(["ollama", "openai"])
_NAMES = ("chat", "shared-prefix", "long-beside-short", "second-prompt", "embed")


class _Streams(click.ParamType[tuple[int, ...]]):
    """Numbers of streams, separated by commas."""

    name = "streams"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        try:
            counts = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            counts = ()
        if not counts or not all(1 <= count <= MAX_STREAMS for count in counts):
            self.fail(f"give numbers from 1 to {MAX_STREAMS}, such as 1,4,8", param, ctx)
        return tuple(dict.fromkeys(counts))


class _Url(click.ParamType[str]):
    """The base of an API."""

    name = "url"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            return Address.parse(str(value)).url.removesuffix("/v1").removesuffix("/api")
        except ValueError as e:
            self.fail(one_line(str(e)), param, ctx)


_LENGTH = click.IntRange(1, MAX_TOKENS)


@click.command()
@click.argument("model", default="", type=MODEL)
@click.option("--url", type=_Url(), help="The server. [default: the one at ACTORLLM_HOST]")
@click.option("--versus", type=_Url(), help="Another server, with which it takes turns.")
@click.option("--api", type=_APIS, help="How to speak to the server. [default: finds out]")
@click.option("--versus-api", type=_APIS, help="The same for the other one.")
@click.option("--versus-model", default="", help="The model's name there, if it is another one.")
@click.option("--different-models", is_flag=True, help="Go on if the two models differ.")
@click.option(
    "--workload",
    type=click.Choice(_NAMES),
    default="chat",
    show_default=True,
    help="What to measure; see above.",
)
@click.option("--streams", type=_Streams(), help="Streams at a time: 1,4,8,16.")
@click.option("--prompt-tokens", type=_LENGTH, help="Length of the (long) prompts.")
@click.option("--tokens", type=_LENGTH, help="Most tokens of an answer.")
@click.option(
    "--rounds",
    type=click.IntRange(1, MAX_ROUNDS),
    default=3,
    show_default=True,
    help="Times that everything is measured; medians count.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of the texts. [default: random]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(
    model: str,
    *,
    url: str | None,
    versus: str | None,
    api: str | None,
    versus_api: str | None,
    versus_model: str,
    different_models: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure a server, or compare two.

    They speak the Ollama or the OpenAI API. What can be measured of them:

    chat: streams side by side. shared-prefix: requests at once that share a long system prompt.
    long-beside-short: a long prompt beside running streams. second-prompt: a long prompt, twice.
    embed: texts in one request, one by one, and side by side.

    MODEL may be left out if the server has only one.
    """
    if not versus and (versus_api or versus_model or different_models):
        raise click.UsageError("the other server is missing: give --versus")
    targets = [_target(url or connect().address.url, api, model)]
    if versus:
        targets.append(_target(versus, versus_api, versus_model or model))
    result = _run(_plan(**asked), targets, different=different_models)
    _show(result, as_json=as_json)


def _target(url: str, api: str | None, model: str) -> "Target":
    from actorllm.cli.bench.campaign import Target

    return Target(
        url=url, api="openai" if api == "openai" else "ollama" if api else None, model=model
    )


def _plan(
    *,
    workload: str,
    streams: tuple[int, ...] | None,
    prompt_tokens: int | None,
    tokens: int | None,
    rounds: int,
    seed: int | None,
) -> "Plan":
    from actorllm.cli.bench.campaign import Plan
    from actorllm.cli.bench.workloads import WORKLOADS

    usual = WORKLOADS[workload]
    return Plan(
        workload=workload,
        streams=streams or usual.streams,
        prompt_tokens=prompt_tokens or usual.prompt_tokens,
        tokens=tokens or usual.tokens,
        rounds=rounds,
        seed=secrets.randbits(31) if seed is None else seed,
    )


def _run(plan: "Plan", targets: list["Target"], *, different: bool) -> "Result":
    import trio

    from actorllm.cli.bench.campaign import run

    def say(step: str) -> None:
        if sys.stderr.isatty():
            click.echo(one_line(step), err=True)

    async def measure() -> "Result":
        return await run(plan, targets, say, different=different)

    return trio.run(measure)


def _show(result: "Result", *, as_json: bool) -> None:
    from actorllm.cli.bench import report

    if as_json:
        click.echo(json.dumps(report.as_json(result)))
        return
    from rich.console import Console

    console = Console()
    for table in report.as_tables(result):
        console.print(table)
    for line in report.remarks(result):
        click.echo(one_line(line))
