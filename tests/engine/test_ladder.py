from actorllm.actors.runner.engine.ladder import RUNGS, at_rung, next_rung
from actorllm.actors.runner.engine.types import EngineSettings

SETTINGS = EngineSettings(model_path="m", kv_type="q8_0", flash_attention="on", threads=8)


def test_the_ladder_goes_down_step_by_step_and_ends():
    rung, seen = 0, [0]
    while (below := next_rung(rung)) is not None:
        rung = below
        seen.append(rung)
    assert seen == [rung.number for rung in RUNGS]


def test_every_rung_has_words():
    assert all(rung.text for rung in RUNGS)


def test_the_first_rung_only_refuses_amx():
    assert at_rung(SETTINGS, 0) == SETTINGS


def test_each_rung_keeps_what_was_given_up_above():
    for rung in range(1, len(RUNGS)):
        above, here = at_rung(SETTINGS, rung - 1), at_rung(SETTINGS, rung)
        assert at_rung(above, rung) == here
        assert here.rung == rung


def test_the_rungs_give_up_what_they_say():
    assert not at_rung(SETTINGS, 1).extra_buffers
    second = at_rung(SETTINGS, 2)
    assert (second.flash_attention, second.kv_type, second.use_mmap) == ("off", "f16", False)
    last = at_rung(SETTINGS, 3)
    assert (last.slots, last.num_batch, last.threads) == (1, 32, 1)


def test_an_embedding_model_keeps_its_batch_on_the_last_rung():
    embedding = EngineSettings(model_path="m", embedding=True, num_batch=512)
    assert at_rung(embedding, 3).num_batch == 512
