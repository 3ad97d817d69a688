"""How many slots a model gets whose steps were measured."""

import pytest

from actorllm.actors.runner.engine import opening
from actorllm.actors.runner.engine.opening import _with_quick_steps
from actorllm.actors.runner.engine.types import EngineSettings, Work


class Machine:
    """Takes some seconds for a step, and some for each of its rows."""

    def __init__(self, step: float, row: float) -> None:
        self._step, self._row = step, row
        self.steps: list[int] = []

    def step_seconds(self, rows: int) -> float:
        self.steps.append(rows)
        return self._step + self._row * rows


def slots(machine, most=16):
    return _with_quick_steps(EngineSettings(model_path="x", slots=most), machine).slots


@pytest.mark.parametrize(
    ("step", "row", "taken"),
    [
        (0.001, 0.0001, 16),
        (0.1, 0.0, 16),
        (0.1, 0.041, 9),  # 0.469 s with 9 rows, 0.51 s with 10
        (0.1, 0.06, 6),
        (0.0, 0.12, 4),
        (0.4, 0.2, 4),
        (5.0, 1.0, 4),
    ],
)
def test_a_step_of_all_slots_stays_below_half_a_second_where_four_can(step, row, taken):
    assert slots(Machine(step, row)) == taken


def test_a_slow_model_is_not_made_to_show_how_slow_all_rows_are():
    machine = Machine(5.0, 1.0)
    slots(machine)
    assert machine.steps == [2]


@pytest.mark.parametrize("most", [1, 3, 4])
def test_few_slots_are_not_measured(most):
    machine = Machine(0.001, 0.0)
    assert slots(machine, most) == most
    assert not machine.steps


@pytest.mark.parametrize(
    ("slow", "unordered", "cells", "own"),
    [(0.0, True, 2048, True), (0.0, False, 2048, False), (0.0, True, 1024, False),
     (1e9, True, 2048, False)],
)  # fmt: skip
def test_slots_that_are_left_get_the_windows_of_the_pool(
    seedling, make_host, monkeypatch, slow, unordered, cells, own
):
    monkeypatch.setattr(opening, "_SLOW_STEP", slow)
    host = make_host(
        seedling, num_ctx=512, slots=16, threads=1, measured=True,
        unified=True, cells=cells, unordered=unordered,
    )  # fmt: skip
    settings = host.loaded.settings
    assert settings.slots == (4 if slow == 0 else 16)
    assert settings.unified != own
    assert host.run(Work(id=1, prompt=(5, 6), max_tokens=3))[1][2].generated_tokens == 3
