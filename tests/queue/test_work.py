"""What a runner is asked to do for a request."""

from actorllm.actors.queue.work import definite, embedding_work, generation_work, within
from actorllm.actors.runner.messages import Embed
from actorllm.protocol.messages.generation import EmbedRequest, GenerateRequest
from actorllm.protocol.messages.scheduling import Lease
from actorllm.protocol.options import Options
from tests.simulation.system import make_model


def test_a_request_overrules_its_defaults_and_these_the_model():
    model = make_model("m", params={"top_k": 1, "top_p": 0.1, "min_p": 0.1})
    options, notices = definite(model, {"top_k": 2, "top_p": 0.2}, {"top_k": 3, "seed": 7})
    assert (options.top_k, options.top_p, options.min_p, options.seed) == (3, 0.2, 0.1, 7)
    assert notices == ()


def test_a_key_that_is_no_option_is_told():
    _, notices = definite(make_model("m"), {"tfs_z": 1}, {"typical": 1})
    assert notices == (
        "option 'tfs_z' is unknown and was ignored",
        "option 'typical' is unknown and was ignored",
    )


def test_the_options_of_a_request_travel_merged_alone():
    request = GenerateRequest(
        "m", "generate", prompt="p", options={"seed": 1}, default_options={"top_k": 2}
    )
    model = make_model("m", capabilities=("completion", "thinking"))
    work = generation_work(request, model, Options(seed=1), 5.0)
    assert (work.request.options, work.request.default_options) == ({}, {})
    assert (work.options.seed, work.now, work.request.think) == (1, 5.0, True)


def test_a_lease_may_hold_a_work_to_a_window():
    work = generation_work(GenerateRequest("m", "generate"), make_model("m"), Options(), 5.0)
    assert within(Lease(1, "/r", 1, 1024, 5), work) is work
    assert within(Lease(1, "/r", 1, 1024, 5, window=512), work).options.num_ctx == 512


def test_an_embedding_is_told_the_window_that_was_asked_for():
    request = EmbedRequest("m", ("a",), dimensions=2, truncate=False)
    work = embedding_work(request, Options(num_ctx=9))
    assert work == Embed(("a",), truncate=False, normalize=True, dimensions=2, num_ctx=9)
