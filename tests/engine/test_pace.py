from actorllm.actors.runner.engine.batching import ChunkSizer
from actorllm.actors.runner.engine.pace import Pace


def limit(pace):
    return pace.limit(alone=False, turns=True, behind=0)


def test_a_step_that_was_held_up_does_not_lengthen_the_passes_of_prompts():
    pace = Pace(512, tiles=False)
    for _ in range(3):
        pace.read(128, 128 / 190)
        pace.read(24, 24 / 150)
        pace.stepped(0.03, 1)
    usual = limit(pace)
    pace.stepped(1.1, 1)
    assert limit(pace) == usual
    for _ in range(4):
        pace.stepped(1.1, 1)
    assert limit(pace) >= 190


def test_a_machine_that_became_slow_is_believed_sooner_than_one_that_became_quick():
    slower, quicker = ChunkSizer(512), ChunkSizer(512)
    for sizer in (slower, quicker):
        sizer.measured(32, 32 / 100)
    slower.measured(32, 32 / 50)
    quicker.measured(32, 32 / 150)
    assert 100 - slower.rate > 2 * (quicker.rate - 100)


def test_prompts_have_half_of_their_rows_before_streams_have_their_turn():
    pace = Pace(64, tiles=False)
    assert not pace.streams_turn
    pace.read(40, 0.01)
    assert pace.streams_turn
    pace.stepped(0.01, 1)
    assert not pace.streams_turn
