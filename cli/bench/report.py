"""The result as a table for people, or as JSON."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from actorllm.cli.bench.campaign import Case, Result
from actorllm.cli.bench.figures import Figure
from actorllm.cli.bench.server import Server
from actorllm.cli.bench.statistics import Spread, ratio, spread
from actorllm.cli.wire import Json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["as_json", "as_tables", "remarks"]

_NONE = "–"


@attrs.frozen(kw_only=True)
class _Row:
    """One figure of a case on all servers."""

    figure: Figure
    rounds: tuple[tuple[float, ...], ...]
    """By server; empty where a server did not tell."""

    @property
    def spreads(self) -> list[Spread | None]:
        return [spread(values) if values else None for values in self.rounds]

    @property
    def ratio(self) -> Spread | None:
        """The first server over the second one."""
        return ratio(*self.rounds) if len(self.rounds) == 2 else None


def as_json(result: Result) -> Json:
    """Return everything, the values of each round included."""
    return {
        **attrs.asdict(result.plan),
        "servers": [_server(server) for server in result.servers],
        "same_model": result.same_model,
        "cases": [
            {"streams": case.streams, "figures": [_figure(row) for row in _rows(case)]}
            for case in result.cases
        ],
    }


def as_tables(result: Result) -> Iterator["Table"]:
    """Lay out a table for each case."""
    from rich import box
    from rich.table import Table

    plan = result.plan
    for case in result.cases:
        title = f"{plan.workload}, streams: {case.streams}"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("", no_wrap=True)
        for label in _labels(result):
            table.add_column(label, justify="right")
        if len(result.servers) == 2:
            table.add_column("A / B", justify="right")
            table.add_column("better")
        for row in _rows(case):
            table.add_row(*_cells(row, compares=len(result.servers) == 2))
        yield table


def remarks(result: Result) -> list[str]:
    """Say on what the figures were taken, and what to beware of."""
    plan = result.plan
    said = [
        f"{label}: {_name(server)}, {server.identity}"
        for label, server in zip(_labels(result), result.servers, strict=True)
    ]
    if result.same_model == "different":
        said.append("the models differ: the ratios compare models, not only servers")
    elif result.same_model == "unknown":
        said.append("the servers do not tell enough to know whether the models are the same")
    said += [
        f"{server.url} counts no prompt tokens: the length of prompts is a guess"
        for server in result.servers
        if not server.ruler.measured
    ]
    said.append(
        f"rounds: {plan.rounds}; medians, (least–most); prompts of about {plan.prompt_tokens} "
        f"tokens, answers of at most {plan.tokens}; seed {plan.seed}"
    )
    return said


def _rows(case: Case) -> list[_Row]:
    samples = [sample for samples in case.samples for sample in samples]
    # The fullest one tells the order; others may lack what could not be measured in their round.
    samples.sort(key=len, reverse=True)
    figures = dict.fromkeys(figure for sample in samples for figure in sample)
    return [
        _Row(
            figure=figure,
            rounds=tuple(
                tuple(sample[figure] for sample in samples if figure in sample)
                for samples in case.samples
            ),
        )
        for figure in figures
    ]


def _server(server: Server) -> Json:
    return {
        "url": server.url,
        "api": server.dialect.api,
        "version": server.version,
        "model": attrs.asdict(server.identity),
        "prompt_tokens_counted": server.ruler.measured,
    }


def _figure(row: _Row) -> Json:
    told: list[Any] = [
        attrs.asdict(one) | {"rounds": list(values)} if one else None
        for one, values in zip(row.spreads, row.rounds, strict=True)
    ]
    compared = row.ratio
    return attrs.asdict(row.figure) | {
        "servers": told,
        "ratio": attrs.asdict(compared) if compared else None,
    }


def _cells(row: _Row, *, compares: bool) -> Sequence[str]:
    unit = row.figure.unit
    name = f"{row.figure.name} [{unit}]" if unit in ("s", "ms") else row.figure.name
    cells = [name, *(_spread(one) for one in row.spreads)]
    if compares:
        cells += [_spread(row.ratio), row.figure.better]
    return [cell.replace("[", "\\[") for cell in cells]


def _spread(value: Spread | None) -> str:
    if value is None:
        return _NONE
    median = _number(value.median)
    if value.least == value.most:
        return median
    return f"{median} ({_number(value.least)}–{_number(value.most)})"


def _number(value: float) -> str:
    """Write three digits that count, and all that stand before the point."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _name(server: Server) -> str:
    version = f", {server.version}" if server.version else ""
    return f"{server.url} ({server.dialect.api} API{version})"


def _labels(result: Result) -> tuple[str, ...]:
    return ("A", "B")[: len(result.servers)]
