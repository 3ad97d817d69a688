from actorllm.actors.runner.engine.threads import ThreadTuner


class Machine:
    """Cores of which some are busy: a pass that needs a busy one takes very long."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.busy = 0

    def seconds(self, threads: int, rows: int = 1) -> float:
        time = rows * 0.1 / threads
        return 20 * time if threads > self.cores - self.busy else time


def tuned(cores, idle=lambda: None):
    return ThreadTuner(cores, idle), Machine(cores)


def run(tuner, machine, passes, rows=1):
    """Run passes; give the time and how many passes each number of threads was used for."""
    used, total = {}, 0.0
    for _ in range(passes):
        seconds = machine.seconds(tuner.threads, rows)
        used[tuner.threads] = used.get(tuner.threads, 0) + 1
        total += seconds
        tuner.measured(rows, seconds)
    return total, used


def test_a_quiet_machine_keeps_all_threads_and_rarely_tries_others():
    tuner, machine = tuned(8)
    _, used = run(tuner, machine, 5000)
    assert tuner.threads == 8
    assert used[8] > 0.98 * 5000


def test_a_busy_core_is_given_up_at_once():
    tuner, machine = tuned(2)
    run(tuner, machine, 50)
    machine.busy = 1
    total, _ = run(tuner, machine, 100)
    assert tuner.threads == 1
    assert total < 2 * 100 * machine.seconds(1)


def test_a_core_that_is_free_again_is_used_again():
    tuner, machine = tuned(2)
    run(tuner, machine, 50)
    machine.busy = 1
    run(tuner, machine, 200)
    machine.busy = 0
    _, used = run(tuner, machine, 1000)
    assert used[2] > used[1]


def test_a_machine_that_was_busy_from_the_start_is_found_out():
    tuner, machine = tuned(4)
    machine.busy = 2
    run(tuner, machine, 400)
    assert tuner.threads == 2


def test_many_busy_cores_are_given_up_step_by_step():
    tuner, machine = tuned(8)
    run(tuner, machine, 50)
    machine.busy = 7
    run(tuner, machine, 500)
    assert tuner.threads == 1


def test_more_rows_are_no_reason_to_give_up_threads():
    tuner, machine = tuned(4)
    for rows in (1, 8, 2, 8, 1) * 5:
        run(tuner, machine, 12, rows)
    assert tuner.threads == 4


def test_a_single_thread_stays_one():
    tuner, _ = tuned(1)
    assert [tuner.measured(1, second) for second in (1, 9, 99)] == [1, 1, 1]


def test_one_busy_core_of_many_costs_one_thread():
    tuner, machine = tuned(8)
    run(tuner, machine, 50)
    machine.busy = 1
    run(tuner, machine, 400)
    assert tuner.threads == 7


def test_given_up_cores_are_used_again_as_soon_as_they_are_idle():
    tuner, machine = tuned(2, lambda: 1 - machine.busy)
    run(tuner, machine, 50)
    machine.busy = 1
    run(tuner, machine, 20)
    assert tuner.threads == 1
    machine.busy = 0
    run(tuner, machine, 10)
    assert tuner.threads == 2


def test_idle_cores_that_do_not_help_are_not_tried_again_and_again():
    tuner, machine = tuned(2, lambda: 1)
    machine.busy = 1
    _, used = run(tuner, machine, 500)
    assert tuner.threads == 1
    assert used[2] < 30


def test_a_trial_that_loses_is_over_after_one_pass():
    tuner, machine = tuned(2)
    _, used = run(tuner, machine, 60)
    assert used == {2: 59, 1: 1}


def test_one_slow_pass_is_no_reason_to_give_up_threads():
    tuner, machine = tuned(2)
    for _ in range(20):
        tuner.measured(1, 30 * machine.seconds(2))
        run(tuner, machine, 9)
    assert tuner.threads == 2


def test_short_passes_are_compared_over_some_time():
    """What disturbs one of them disturbs its neighbours."""
    tuner = ThreadTuner(2, lambda: None)
    used = set()
    for number in range(2000):
        disturbed = number % 50 < 5
        tuner.measured(1, 0.0004 * (1 if tuner.threads == 2 else 1.3) * (2.5 if disturbed else 1))
        used.add(tuner.home)
    assert used == {2}
